//! What a Deployment leaves to a successor of the engine, and takes from a predecessor.

use super::Deployment;
use crate::{
    context::Context,
    replica::Replica,
    rollout::Member,
    state::{SavedDeployment, SavedReplica},
};

impl Deployment {
    /// What a successor must know.
    pub fn saved(&self) -> SavedDeployment {
        let of = |member: &Member| {
            let replica = self.replicas.get(&member.id)?;
            Some(SavedReplica {
                name: replica.name.clone(),
                identity: replica.identity()?,
                release: member.release.clone(),
                image: replica.image.clone(),
                probe_at: replica.probe_at,
                restarts: member.restarts,
                log: replica.log.clone(),
            })
        };
        SavedDeployment {
            live: self.live.clone(),
            replicas: self.members.iter().filter_map(of).collect(),
        }
    }

    /// What a predecessor left: its replicas serve until they are replaced, a stand-in stays.
    pub fn restore(app: &str, name: &str, saved: SavedDeployment, context: &mut Context) -> Self {
        let mut restored = Deployment::new(app, name);
        let stays = saved.live.as_ref().is_some_and(|live| live.stand_in.is_some());
        for replica in &saved.replicas {
            let plan = saved.live.as_ref().filter(|live| live.hash == replica.release);
            let id = context.key();
            let Some(adopted) = Replica::adopt(replica, plan, stays, id, context) else {
                continue;
            };
            if let Some(port) = plan.and_then(|plan| plan.host_port).filter(|_| !stays) {
                restored.sockets.take_over(replica.identity.pid, port);
            }
            let mut member = Member::started(id, replica.release.clone());
            (member.legacy, member.restarts) = (!stays, replica.restarts);
            restored.members.push(member);
            restored.replicas.insert(id, adopted);
        }
        // What `main` says is known after the first look; until then the live release is wanted.
        (restored.wanted, restored.live) = (saved.live.clone(), saved.live);
        restored
    }
}
