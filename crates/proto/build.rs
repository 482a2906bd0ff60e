use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use protox::Compiler;
use protox::prost_reflect::{DescriptorPool, MethodDescriptor};

const PROTOS: [&str; 5] = [
    "epro/domain/v1/domain.proto",
    "epro/user/v1/user.proto",
    "epro/report/v1/report.proto",
    "epro/data/v1/data.proto",
    "epro/notify/v1/notify.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = Compiler::new([Path::new("proto")])?;
    compiler.include_imports(true).open_files(PROTOS)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("callers.rs"), callers(&compiler.descriptor_pool())?)?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// A match expression that maps the path of an RPC to the services that may call it.
fn callers(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut arms = String::new();
    for service in pool.services() {
        for method in service.methods() {
            let callers = callers_of(&method, pool)?;
            writeln!(arms, "\"/{}/{}\" => &{callers:?},", service.full_name(), method.name())?;
        }
    }
    Ok(format!("match path {{ {arms} _ => &[] }}"))
}

fn callers_of(method: &MethodDescriptor, pool: &DescriptorPool) -> Result<Vec<String>, Box<dyn Error>> {
    let extension = pool.get_extension_by_name("epro.callers").ok_or("no option epro.callers")?;
    let options = method.options();
    let callers = options.get_extension(&extension);
    let names = callers.as_list().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return Err(format!("{} does not say who may call it: option (epro.callers)", method.full_name()).into());
    }
    Ok(names)
}
