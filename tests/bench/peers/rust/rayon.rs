//! rayon's join.   usage: peer_rayon await|fib|skynet COUNT THREADS
#[allow(dead_code)]
mod figure;
use figure::*;
use std::time::Instant;

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (left, right) = rayon::join(|| fib(n - 1), || fib(n - 2));
    left + right
}

/// Ten leaves by joins, halving: what rayon is made for.
fn fan(first: u64, each: u64, children: u64) -> u64 {
    if children == 1 {
        return skynet(first, each);
    }
    let half = children / 2;
    let (left, right) =
        rayon::join(|| fan(first, each, half), || fan(first + half * each, each, children - half));
    left + right
}

fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    fan(first, leaves / 10, 10)
}

fn main() {
    let n = param(1, 1000);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(param(2, 1) as usize).build().unwrap();
    pool.install(|| {
        let start = Instant::now();
        match workload().as_str() {
            "await" => {
                let mut sum = 0;
                for i in 0..n {
                    let (a, b) = rayon::join(|| black_box(i) + 1, || black_box(i) + 2);
                    sum += a + b;
                }
                black_box(sum);
                figure("await", ns(start, n as f64), "ns");
            }
            "fib" => {
                black_box(fib(n));
                figure("fib", ns(start, calls_of(n)), "ns");
            }
            "skynet" => {
                assert_eq!(skynet(0, n), n * (n - 1) / 2);
                figure("skynet", ms(start), "ms");
                figure("memory", memory("VmHWM") / 1e6, "MB");
            }
            _ => std::process::exit(64),
        }
    });
}
