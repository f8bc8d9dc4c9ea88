//! Looks at this machine: versions, environment variables, the temporary directory, limits.

use std::path::Path;

use indicatif::HumanBytes;

use super::look::Look;
use crate::definition::Environment;
use crate::exit_code::{Failure, advice};
use crate::landing::{LandError, Landing};
use crate::runtime::{c_library, on_cpu};

/// The variables whose values say how flowlake runs, and hold no secret.
const SHOWN: [&str; 11] = [
    "HOME",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "NO_COLOR",
    "RUST_LOG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NO_PROXY",
];
/// The beginnings of variables that flowlake and the clients of stores read. Their values may be secrets.
const NAMED: [&str; 4] = ["PROCUREMENTFLOW_", "AWS_", "AZURE_", "GOOGLE_"];
/// Below this there is no room for a large export.
const LITTLE_ROOM: u64 = 1 << 30;
/// A run has some dozens of files open.
const FEW_FILES: u64 = 256;

/// What there is to know of this machine.
pub(super) async fn looks(environment: &Environment) -> Vec<Look> {
    let mut looks = vec![
        Look::ok("flowlake", env!("CARGO_PKG_VERSION")),
        Look::ok("system", system()),
        Look::ok("environment", shown_variables(environment)),
        Look::ok("variables set", named_variables()),
    ];
    looks.push(on_cpu(temporary_directory).await);
    looks.extend(limits());
    looks
}

fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.map_or(std::env::consts::OS, |name| name.trim_matches('"'));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = if kernel.is_empty() { "unknown" } else { kernel.trim() };
    format!("{name}, kernel {kernel}, {}, {}", std::env::consts::ARCH, c_library())
}

fn shown_variables(environment: &Environment) -> String {
    let (set, not_set): (Vec<&str>, Vec<&str>) =
        SHOWN.into_iter().partition(|name| environment.get(name).is_some());
    let value = |name: &str| format!("{name}={}", environment.get(name).unwrap_or_default());
    let mut told: Vec<String> = set.into_iter().map(value).collect();
    if !not_set.is_empty() {
        told.push(format!("not set: {}", not_set.join(", ")));
    }
    told.join("; ")
}

/// The names alone.
fn named_variables() -> String {
    let mut names: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| NAMED.iter().any(|beginning| name.starts_with(beginning)))
        .collect();
    names.sort();
    match names.as_slice() {
        [] => format!("none that begins with {}", NAMED.join(", ")),
        names => format!("{} (values are not shown)", names.join(", ")),
    }
}

/// Writes to the temporary directory as a run does, and sees how much room it has.
fn temporary_directory() -> Look {
    const SUBJECT: &str = "temporary directory";
    let directory = std::env::temp_dir();
    let written = || -> Result<(), LandError> {
        let mut file = Landing::create(directory.clone())?;
        file.write(b"flowlake doctor")?;
        file.finish().map(drop)
    };
    match written() {
        Err(error) => {
            let source = std::error::Error::source(&error);
            let cause = source.map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "cannot write to {}, which {}: {cause}",
                directory.display(),
                if std::env::var_os("TMPDIR").is_some() {
                    "`TMPDIR` names"
                } else {
                    "is used without `TMPDIR`"
                }
            );
            let help = error.help().unwrap_or_default();
            Look::failed_with(SUBJECT, error.exit_code(), message, help)
        }
        Ok(()) => room(SUBJECT, &directory, advice::TEMPORARY_DIRECTORY),
    }
}

/// How much room there is in a directory.
pub(super) fn room(subject: &'static str, directory: &Path, help: &str) -> Look {
    let shown = directory.display();
    match rustix::fs::statvfs(directory) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let message = format!("{shown}, {} free", HumanBytes(free));
            if free < LITTLE_ROOM {
                Look::warning(subject, message, help)
            } else {
                Look::ok(subject, message)
            }
        }
        Err(error) => Look::ok(subject, format!("{shown}, free room unknown: {error}")),
    }
}

/// The limits of this process, where the system tells them.
fn limits() -> Vec<Look> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let files = word_after(&limits, "Max open files").map(|files| match files.parse::<u64>() {
        Ok(files) if files < FEW_FILES => Look::warning(
            "open files",
            format!("this process may open {files} at once"),
            "raise the limit (`ulimit -n 1024`, in systemd `LimitNOFILE=1024`)",
        ),
        _ => Look::ok("open files", format!("{files} at once")),
    });
    let umask = word_after(&status, "Umask:").map(|umask| match u32::from_str_radix(umask, 8) {
        Ok(bits) if bits & 0o002 == 0 => Look::warning(
            "umask",
            format!("{umask}: every user may write the tables"),
            "set it to 022, or to 077 if nobody else reads the tables",
        ),
        _ => Look::ok("umask", umask),
    });
    files.into_iter().chain(umask).collect()
}

/// The first word behind the beginning of a line.
fn word_after<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(beginning));
    rest?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_process_are_read_from_its_table() {
        let limits = "Limit                     Soft Limit           Hard Limit\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(word_after(limits, "Max open files"), Some("1024"));
        assert_eq!(word_after("Umask:\t0022\n", "Umask:"), Some("0022"));
        assert_eq!(word_after(limits, "Umask:"), None);
    }

    #[test]
    fn variables_are_told_with_their_values_and_those_that_are_missing_by_name() {
        let environment = Environment::default().with("HOME", "/home/a").with("NO_PROXY", "b");
        let told = shown_variables(&environment);
        assert!(told.starts_with("HOME=/home/a; NO_PROXY=b; not set: TZ, LANG, "), "{told}");
    }

    #[test]
    fn a_full_disk_is_told() {
        let directory = Path::new("/proc");
        // It has no room at all.
        assert_eq!(room("disk", directory, "make room").help.as_deref(), Some("make room"));
    }
}
