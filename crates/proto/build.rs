use std::error::Error;
use std::path::Path;

const PROTOS: [&str; 4] = [
    "epro/user/v1/user.proto",
    "epro/report/v1/report.proto",
    "epro/data/v1/data.proto",
    "epro/notify/v1/notify.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("proto");
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(PROTOS, [root])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
