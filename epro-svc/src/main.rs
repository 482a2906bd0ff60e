use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main::<epro_svc::App>()
}
