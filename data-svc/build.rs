fn main() {
    // Without a database, sqlx checks the queries against these files.
    println!("cargo::rerun-if-changed=../.sqlx");
}
