//! Thin typed client of MLflow REST: runs, logged models, registry, artifacts.
