//! How much memory it takes to fetch and land an export, whatever its size.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{KEY, Workplace, runtime};

const BLOCK_BYTES: usize = 1 << 20;
const MOST_MEGABYTES: u64 = 100;

/// Serves an export of so many megabytes, all but one record of which nobody wants.
async fn serve(listener: TcpListener, megabytes: usize) {
    // Digits that do not compress away, so that the landing is large as well.
    let mut random = fastrand::Rng::with_seed(1);
    let mut block: Vec<u8> = (0..BLOCK_BYTES).map(|_| random.digit(10) as u8).collect();
    for at in (0..BLOCK_BYTES).step_by(8) {
        block[at] = b',';
        block[at + 1] = b'1';
    }
    while let Ok((mut socket, _)) = listener.accept().await {
        let _ = socket.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        let begin = format!("{head}{{\"noise\":[1");
        let _ = socket.write_all(begin.as_bytes()).await;
        for _ in 0..megabytes {
            let _ = socket.write_all(&block).await;
        }
        let _ = socket.write_all(b"],\"t\":[{\"id\":1}]}").await;
    }
}

/// The most memory that a process has had resident, in megabytes, as long as it runs.
fn high_water_mark(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

#[test]
fn p7_a_gigabyte_is_landed_in_little_memory() {
    let megabytes = 1024;
    let runtime = runtime();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(serve(listener, megabytes));
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &base_url)
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", KEY);
    workplace.define("[[tables]]\nname = \"t\"\nrecords = \"/t\"\nprimary_key = [\"id\"]");
    let mut run = workplace.command(&["run", "test.toml"]);
    let mut run = run.stdout(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    while run.try_wait().unwrap().is_none() {
        most = high_water_mark(run.id()).unwrap_or_default().max(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run.wait().unwrap().success());
    assert_eq!(workplace.lake().rows("t").height(), 1);
    let landing = workplace.path().join("lake/_flowlake/landing");
    let landed =
        std::fs::read_dir(landing).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert!(landed.sum::<u64>() > 300 << 20, "the landing is small");
    eprintln!("{megabytes} MB were landed in {most} MB");
    assert!(most > 0 && most < MOST_MEGABYTES, "{most} MB");
}
