//! `promote`: releases a model again that was promoted before, by its image tag. A candidate that
//! the gate refused was never promoted, so there is no way around the gate here.

use crate::{
    cmd::rollback,
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    flags::PromoteFlags,
    git,
    step::Deadline,
};
use contract::Tag;
use std::time::Duration;

/// Promotes and waits until it is live.
///
/// # Errors
/// `unknown-release` for a text that is no tag or a tag that was never promoted, else as `rollback`.
pub fn command(ctx: &Ctx, flags: &PromoteFlags) -> Outcome<()> {
    let unknown =
        |cause: String| Failure::new(Id::UnknownRelease, format!("promote {}", flags.tag)).because(cause);
    let tag: Tag = flags.tag.parse().map_err(|error| unknown(format!("{error}")))?;
    let engine = ctx.engine()?;
    ctx.report.begin("promote");
    if ctx.exec.pretends() {
        return rollback::run(
            ctx,
            engine.as_ref(),
            Some(&flags.tag),
            Deadline::after(Duration::ZERO),
        )
        .map(drop);
    }
    let changes = git::promotions(ctx, &git::Clone::of(ctx, "promote")?, 1000)?;
    let released = |change: &&git::Promotion| {
        change
            .released
            .as_ref()
            .is_some_and(|released| released.tag == tag)
    };
    let Some(change) = changes
        .iter()
        .filter(|change| change.is_promotion())
        .find(released)
    else {
        return Err(unknown(format!("main never released inference-api:{tag}")));
    };
    let deadline = Deadline::after(Duration::from_secs(60));
    let done = rollback::run(ctx, engine.as_ref(), Some(&change.commit), deadline)?;
    rollback::say(ctx, &done);
    Ok(())
}
