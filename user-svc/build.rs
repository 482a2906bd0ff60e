fn main() {
    // Where there is no database, sqlx checks the queries against these files.
    println!("cargo::rerun-if-changed=../.sqlx");
}
