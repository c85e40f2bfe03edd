use std::time::Instant;

pub fn figure(name: &str, value: f64, unit: &str) {
    println!("{} {:.6} {}", name, value, unit);
}

pub fn ns(start: Instant, n: f64) -> f64 {
    start.elapsed().as_nanos() as f64 / n
}

pub fn ms(start: Instant) -> f64 {
    ns(start, 1e6)
}

/// The n-th parameter behind the workload.
pub fn param(n: usize, otherwise: u64) -> u64 {
    std::env::args().nth(n + 1).and_then(|s| s.parse().ok()).unwrap_or(otherwise)
}

pub fn workload() -> String {
    std::env::args().nth(1).unwrap_or_default()
}

/// Of /proc/self/status, in bytes.
pub fn memory(field: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(field));
    line.and_then(|l| l.split_whitespace().nth(1)).and_then(|s| s.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

/// CPU time of all threads of this process, in milliseconds.
pub fn cpu_ms() -> f64 {
    let mut total = 0.0;
    if let Ok(tasks) = std::fs::read_dir("/proc/self/task") {
        for task in tasks.flatten() {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            total += stat.split_whitespace().next().and_then(|s| s.parse::<f64>().ok()).unwrap_or(0.0) / 1e6;
        }
    }
    total
}

/// A call of fib(n) makes so many.
pub fn calls_of(n: u64) -> f64 {
    let (mut a, mut b) = (1.0, 1.0);
    for _ in 0..n {
        let next = a + b;
        a = b;
        b = next;
    }
    2.0 * a - 1.0
}

/// The value, and the optimiser must not know which (std's own comes with Rust 1.66).
pub fn black_box<T>(value: T) -> T {
    unsafe { std::arch::asm!("/* {0} */", in(reg) &value, options(nostack, preserves_flags)) };
    value
}
