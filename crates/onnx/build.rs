//! Compiles the vendored ONNX types with protox, so that no `protoc` is needed on any machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/onnx-ml.proto");
    let descriptors = protox::compile(["proto/onnx-ml.proto"], ["proto"])?;
    // Comments of the specification would become broken documentation links.
    prost_build::Config::new()
        .disable_comments(["."])
        // Kinds of nodes, a word for each of up to millions: slices of the file instead of copies.
        .bytes([".onnx.AttributeProto.strings"])
        .compile_fds(descriptors)?;
    Ok(())
}
