//! The one-shot job that prepares the database: roles, schemas, migrations, and the demo's data if asked.

use clap::Parser;

#[derive(Parser)]
#[command(about = "Brings the ePRO database to its current shape; safe to run again.")]
struct Arguments {
    /// URL of a role that may create roles and schemas.
    #[arg(long, env = "MIGRATE_ADMIN_URL", hide_env_values = true)]
    admin_url: String,
    /// Password for the login role of user-svc.
    #[arg(long, env = "MIGRATE_USER_SVC_PASSWORD", hide_env_values = true)]
    user_svc_password: String,
    /// Password for the login role of data-svc.
    #[arg(long, env = "MIGRATE_DATA_SVC_PASSWORD", hide_env_values = true)]
    data_svc_password: String,
    /// Also store the demo study with its patients, nurses and PINs. Never in production.
    #[arg(long, env = "MIGRATE_SEED_DEMO")]
    seed_demo: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let passwords =
        migrations::Passwords { user_svc: arguments.user_svc_password, data_svc: arguments.data_svc_password };
    migrations::run(&arguments.admin_url, &passwords).await?;
    if arguments.seed_demo {
        migrations::demo::seed(&arguments.admin_url).await?;
    }
    Ok(())
}
