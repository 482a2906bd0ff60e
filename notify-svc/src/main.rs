use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::main::<notify_svc::App>()
}
