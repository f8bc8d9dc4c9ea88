//! A store that fails, or does something else, at a given call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
};

/// How a store fails at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The call has no effect and fails, and so does every later one, as if the process had died before it.
    Before,
    /// The call takes effect and fails, and every later one has no effect, as if the process had died after it.
    After,
    /// The call has no effect and fails; later ones work.
    Once,
    /// The call takes effect and fails, as if the answer was lost; later ones work.
    OnceAfter,
    /// The call is slow.
    Delay,
}

impl Failure {
    pub const ALL: [Self; 5] =
        [Self::Before, Self::After, Self::Once, Self::OnceAfter, Self::Delay];
}

const DELAY: Duration = Duration::from_millis(20);

/// Called with the number of each call; may fail it.
type Hook = Box<dyn Fn(usize) -> Result<()> + Send + Sync>;

/// A store with a hook before and after every call.
pub struct HookedStore {
    inner: Arc<dyn ObjectStore>,
    calls: AtomicUsize,
    before: Hook,
    after: Hook,
}

impl HookedStore {
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        before: impl Fn(usize) -> Result<()> + Send + Sync + 'static,
        after: impl Fn(usize) -> Result<()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (before, after) = (Box::new(before), Box::new(after));
        Arc::new(Self { inner, calls: 0.into(), before, after })
    }

    /// Fails at call number `at`.
    pub fn failing(inner: Arc<dyn ObjectStore>, failure: Failure, at: usize) -> Arc<Self> {
        let fails = |fails: bool| if fails { Err(failed()) } else { Ok(()) };
        let before = move |call: usize| match failure {
            Failure::Before => fails(call >= at),
            Failure::After => fails(call > at),
            Failure::Once => fails(call == at),
            Failure::OnceAfter => Ok(()),
            Failure::Delay => {
                if call == at {
                    std::thread::sleep(DELAY);
                }
                Ok(())
            }
        };
        let fails_after = matches!(failure, Failure::After | Failure::OnceAfter);
        Self::new(inner, before, move |call| fails(fails_after && call == at))
    }

    /// The number of calls so far.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        (self.before)(call)?;
        let result = work.await;
        (self.after)(call)?;
        result
    }

    /// The same for calls that return a stream.
    fn stream<T: Send + 'static>(
        &self,
        begin: impl FnOnce() -> BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = (self.before)(call) {
            return futures::stream::once(async { Err(error) }).boxed();
        }
        let after = futures::stream::iter((self.after)(call).err().map(Err));
        begin().chain(after).boxed()
    }
}

impl fmt::Debug for HookedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedStore")
    }
}

impl fmt::Display for HookedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedStore")
    }
}

fn failed() -> Error {
    Error::Generic { store: "HookedStore", source: "the store failed".into() }
}

#[async_trait::async_trait]
impl ObjectStore for HookedStore {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.call(self.inner.put_opts(path, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.inner.put_multipart_opts(path, options)).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(self.inner.get_opts(path, options)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.stream(|| self.inner.delete_stream(paths))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.stream(|| self.inner.list(prefix))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(self.inner.copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if self.inner.to_string().starts_with("LocalDisk") {
            return self.call(self.inner.rename_opts(from, to, options)).await;
        }
        // Other stores copy and delete, and may fail in between.
        self.copy_opts(from, to, CopyOptions::default()).await?;
        self.delete(from).await
    }
}
