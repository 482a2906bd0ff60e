use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main::<user_svc::App>()
}
