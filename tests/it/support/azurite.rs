//! Azurite, Microsoft's emulator of Azure Blob Storage. It has to be installed: `make test-azure`.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowlake::store::{Destination, DestinationUrl, StoreKind, StoreOptions, kind_of_scheme};

use super::Workplace;
use super::remote::Remote;

const ACCOUNT: &str = "devstoreaccount1";

/// The key of that account, which every emulator has and Microsoft documents.
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A signature made with that key, which may do everything until 2099. It spares tests signing requests.
const SAS: &str = "sv=2023-11-03&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&spr=https%2Chttp\
    &sig=nsrJAUgiS3hXizSAbHEsbG1XlRWKTs393EGiAjeY4%2Bs%3D";

/// A server on loopback, stopped when dropped.
pub struct Azurite {
    process: Child,
    endpoint: String,
    containers: AtomicUsize,
}

impl Azurite {
    /// The program is named by `AZURITE`. The tests' own process needs the key in `AZURE_STORAGE_ACCOUNT_KEY`.
    pub fn start() -> Self {
        let key = std::env::var("AZURE_STORAGE_ACCOUNT_KEY");
        assert_eq!(key.as_deref(), Ok(KEY), "run `make test-azure`");
        let program = std::env::var("AZURITE").unwrap_or_else(|_| "azurite-blob".to_owned());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command.args(["--blobPort", &port.to_string(), "--inMemoryPersistence", "--silent"]);
        command.args(["--skipApiVersionCheck", "--disableTelemetry"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let endpoint = format!("http://127.0.0.1:{port}/{ACCOUNT}");
        let azurite = Self { process, endpoint, containers: 0.into() };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return azurite;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{program} does not listen");
    }

    /// A URL in a container of its own. The one before it is removed, which keeps the server fast.
    fn url(&self) -> String {
        let number = self.containers.fetch_add(1, Ordering::SeqCst);
        if number > 0 {
            self.request(reqwest::Method::DELETE, number - 1);
        }
        self.request(reqwest::Method::PUT, number);
        format!("az://lake{number}/some prefix")
    }

    fn request(&self, method: reqwest::Method, container: usize) {
        let url = format!("{}/lake{container}?restype=container&{SAS}", self.endpoint);
        let request = async move {
            let request = reqwest::Client::new().request(method, url).header("content-length", 0);
            let response = request.send().await.unwrap();
            assert!(response.status().is_success(), "{response:?}");
        };
        // The caller may be driving a runtime.
        std::thread::scope(|scope| {
            scope.spawn(|| super::runtime().block_on(request)).join().unwrap();
        });
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The environment with a key, and nothing that says where the server is.
    #[expect(clippy::unused_self, reason = "it is this server's")]
    pub fn only_credentials(&self, workplace: Workplace) -> Workplace {
        workplace.with("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    }

    fn options(&self) -> StoreOptions {
        let kind: &'static StoreKind = kind_of_scheme("az").unwrap();
        let mut options = StoreOptions::default();
        options.set(kind.option("endpoint").unwrap(), &self.endpoint);
        options.set(kind.option("account_name").unwrap(), ACCOUNT);
        options.set(kind.option("max_attempts").unwrap(), "1");
        options
    }
}

impl Remote for Azurite {
    fn new_url(&self) -> String {
        self.url()
    }

    fn open(&self, url: &str) -> Destination {
        let url: DestinationUrl = url.parse().unwrap();
        Destination::open(&url.with_options(&self.options())).unwrap()
    }

    fn environment(&self, workplace: Workplace) -> Workplace {
        self.only_credentials(workplace)
            .with("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
            .with("AZURE_STORAGE_ENDPOINT", &self.endpoint)
            .with("AZURE_ALLOW_HTTP", "true")
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
