//! Redfish.
use crate::driver::*;
use crate::*;
#[derive(Debug, Default)]
pub struct RedfishDriver {}
impl Driver for RedfishDriver {
    fn connect<'a>(&'a self, _: &'a Target) -> BmcFuture<'a, Box<dyn Connection>> {
        Box::pin(async { Err(BmcError::Busy) })
    }
}
