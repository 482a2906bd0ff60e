fn main() {
    // The migrations are embedded, and Cargo does not know that by itself.
    for folder in ["identity", "clinical", "instruments", "roles.sql"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
