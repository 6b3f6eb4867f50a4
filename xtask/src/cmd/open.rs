//! `open`: the address of a page, opened where there is a browser.

use crate::{
    ctx::{Ctx, engine_failure},
    exec::Cmd,
    failure::{Id, Outcome},
    flags::{OpenFlags, Page},
    git, profile,
};
use contract::names;

/// What brings the page that is not there.
const WITH_PIPELINES: &str = "cargo xtask up --engine minikube --profile full";

/// Prints the address.
///
/// # Errors
/// `engine-not-running`, `engine-refused`.
pub fn command(ctx: &Ctx, flags: &OpenFlags) -> Outcome<()> {
    let engine = ctx.engine()?;
    let address = |app: &str| {
        engine
            .address(app)
            .map_err(engine_failure(&format!("find {app}")))
    };
    let (page, opens) = match flags.page {
        Page::Mlflow => (address(names::MLFLOW)?, true),
        Page::Api => (format!("{}/docs", address(names::INFERENCE_API)?), true),
        Page::Pipelines => {
            let found = address(profile::PIPELINES);
            let found = found.map_err(|failure| failure.next(ctx.typed(WITH_PIPELINES)))?;
            (found, true)
        }
        Page::Git => {
            let url = git::remote::address(ctx)?;
            let page = url.strip_suffix(".git").unwrap_or(&url).to_owned();
            // The bare repository of the local engine has no page.
            (
                if ctx.cluster.is_some() { page } else { url },
                ctx.cluster.is_some(),
            )
        }
        Page::Argocd => (argocd(ctx), false),
    };
    if ctx.json {
        ctx.result(&serde_json::json!({ "address": page }).to_string());
    } else {
        ctx.result(&page);
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if opens && has_screen && !ctx.json && ctx.exec.find("xdg-open").is_some() {
        let cmd = Cmd::changes("xdg-open").args([&page]);
        // The address was printed; whoever has no browser has lost nothing.
        let _ = ctx.ran(Id::ToolMissing, "open the page", &cmd);
    }
    Ok(())
}

/// Argo CD is installed without its web server; its command-line program brings one along.
fn argocd(ctx: &Ctx) -> String {
    match &ctx.cluster {
        Some(cluster) => format!(
            "argocd admin dashboard --core --namespace argocd --kube-context {}",
            cluster.context
        ),
        None => "The local engine stands in for Argo CD; cargo xtask status shows what it would.".to_owned(),
    }
}
