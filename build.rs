//! Tells the linker, for the Node addon only, that Node brings the Node-API symbols.

fn main() {
    #[cfg(feature = "node")]
    napi_build::setup();
}
