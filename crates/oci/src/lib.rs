//! OCI image layouts and registries without a daemon.
