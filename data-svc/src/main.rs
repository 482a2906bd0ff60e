use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main::<data_svc::App>()
}
