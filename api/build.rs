//! Compiles the Open Inference Protocol's gRPC service with protox, so that no `protoc` is needed on any
//! machine, and keeps its descriptors for the reflection service.

use std::{env, fs, path::Path};

const PROTO: &str = "open_inference_grpc.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/{PROTO}");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(false).open_file(PROTO)?;
    let descriptors = Path::new(&env::var("OUT_DIR")?).join("inference.binpb");
    fs::write(descriptors, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // Connections are hyper's here, with limits of our own.
        .build_transport(false)
        .codec_path("crate::grpc::codec::BoundedCodec")
        // Slices of the message instead of copies.
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        // Eight vectors that raw requests leave empty: an input costs a third without them.
        .boxed(".inference.ModelInferRequest.InferInputTensor.contents")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
