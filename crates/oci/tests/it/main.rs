//! One test program: layouts, images, broken disks, hostile layers, a real registry.

mod common;
mod disk;
mod image;
mod layout;
mod unpack;

#[cfg(feature = "registry")]
mod registry;
