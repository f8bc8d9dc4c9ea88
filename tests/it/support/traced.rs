//! A process that stops before every call to the system.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::libc::{self, c_long, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A process that has not begun yet. It is bound to the thread that started it.
pub struct Traced {
    child: Child,
}

/// A call that one of its threads is about to make.
pub struct Call {
    thread: Pid,
    registers: user_regs_struct,
}

impl Traced {
    /// None where the system lets nobody trace, as some containers do not.
    pub fn start(mut command: Command) -> Option<Self> {
        let trace = || ptrace::traceme().map_err(std::io::Error::from);
        #[expect(unsafe_code, reason = "there is no other way to trace a child from its beginning")]
        // SAFETY: one call to the system, which may be made between fork and exec.
        unsafe {
            command.pre_exec(trace);
        }
        match command.spawn() {
            Ok(child) => Some(Self { child }),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Lets it go on, as long as `goes_on` says of its calls; then kills it. Tells whether it came to its end.
    pub fn run(mut self, mut goes_on: impl FnMut(&Call) -> bool) -> bool {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // Those of this thread only: other tests wait for theirs.
        let next = || waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).unwrap();
        assert!(matches!(next(), WaitStatus::Stopped(..)));
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(process, options).unwrap();
        ptrace::syscall(process, None).unwrap();
        let mut is_in_call: HashMap<Pid, bool> = HashMap::new();
        loop {
            let (thread, signal) = match next() {
                WaitStatus::Exited(ended, _) | WaitStatus::Signaled(ended, _, _) => {
                    if ended == process {
                        return true;
                    }
                    continue;
                }
                WaitStatus::PtraceSyscall(thread) => {
                    let is_in_call = is_in_call.entry(thread).or_default();
                    *is_in_call = !*is_in_call;
                    let registers = ptrace::getregs(thread);
                    let call = registers.map(|registers| Call { thread, registers });
                    if *is_in_call && call.is_ok_and(|call| !goes_on(&call)) {
                        self.child.kill().unwrap();
                        while !matches!(next(), WaitStatus::Signaled(ended, _, _) if ended == process)
                        {
                        }
                        return false;
                    }
                    (thread, None)
                }
                // A new thread begins with this one.
                WaitStatus::Stopped(thread, Signal::SIGSTOP)
                | WaitStatus::PtraceEvent(thread, _, _) => (thread, None),
                WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
                _ => continue,
            };
            // One that is gone meanwhile is told of as well.
            let _ = ptrace::syscall(thread, signal);
        }
    }
}

impl Call {
    /// The path that it changes, if it changes any.
    pub fn changes(&self) -> Option<PathBuf> {
        let user_regs_struct { orig_rax, rdi, rsi, rdx, r10, .. } = self.registers;
        let creates = |flags: u64| flags & u64::from(libc::O_CREAT.unsigned_abs()) != 0;
        match c_long::try_from(orig_rax).ok()? {
            libc::SYS_unlink | libc::SYS_mkdir | libc::SYS_rmdir => self.text_at(rdi),
            libc::SYS_open if creates(rsi) => self.text_at(rdi),
            libc::SYS_rename | libc::SYS_link | libc::SYS_unlinkat | libc::SYS_mkdirat => {
                self.text_at(rsi)
            }
            libc::SYS_openat if creates(rdx) => self.text_at(rsi),
            libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => self.text_at(r10),
            libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_ftruncate | libc::SYS_write => {
                std::fs::read_link(format!("/proc/{}/fd/{rdi}", self.thread)).ok()
            }
            _ => None,
        }
    }

    fn text_at(&self, address: u64) -> Option<PathBuf> {
        let memory = File::open(format!("/proc/{}/mem", self.thread)).ok()?;
        let mut bytes = [0; 1024];
        let read = memory.read_at(&mut bytes, address).ok()?;
        let text = bytes[..read].split(|byte| *byte == 0).next()?;
        Some(Path::new(OsStr::from_bytes(text)).to_owned())
    }
}
