//! Gives the shared library its name, and keeps it loaded.

use std::env;

const HEADER: &str = include_str!("../include/mona.h");

fn main() {
    println!("cargo:rerun-if-changed=../include/mona.h");
    let mut lines = HEADER.lines();
    let Some(abi) = lines.find_map(|line| line.strip_prefix("#define MONA_ABI_VERSION ")) else {
        println!("cargo::error=include/mona.h defines no MONA_ABI_VERSION");
        return;
    };
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmona.so.{abi}");
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
