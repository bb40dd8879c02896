//! Compiles the protobuf files without `protoc`: protox is a compiler in Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let files =
        ["batch", "outcome", "ask", "before"].map(|name| root.join(format!("landbridge/v1/{name}.proto")));
    let descriptors = protox::compile(files, [root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
