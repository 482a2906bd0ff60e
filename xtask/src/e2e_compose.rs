use clap::Args;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) async fn run(_: Options) -> anyhow::Result<()> {
    anyhow::bail!("being written")
}
