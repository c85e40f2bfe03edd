//! tokio.   usage: peer_tokio WORKLOAD COUNT THREADS; one thread is the current-thread runtime
#[allow(dead_code)]
mod figure;
use figure::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, Semaphore};

fn runtime(threads: u64) -> Runtime {
    if threads <= 1 {
        Builder::new_current_thread().enable_time().build().unwrap()
    } else {
        Builder::new_multi_thread().worker_threads(threads as usize).enable_time().build().unwrap()
    }
}

fn leaf(v: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { black_box(v) + 1 })
}

async fn call(n: u64) {
    let start = Instant::now();
    for i in 0..n {
        black_box(leaf(i).await);
    }
    figure("call", ns(start, n as f64), "ns");
}

async fn spawn_await(n: u64) {
    let start = Instant::now();
    for i in 0..n {
        black_box(tokio::spawn(async move { i + 1 }).await.unwrap());
    }
    figure("await", ns(start, n as f64), "ns");
}

async fn bunch(n: u64) {
    let start = Instant::now();
    let all: Vec<_> = (0..n).map(|i| tokio::spawn(async move { i + 1 })).collect();
    for one in all {
        black_box(one.await.unwrap());
    }
    figure("bunch", ns(start, n as f64), "ns");
}

async fn yields(n: u64) {
    for _ in 0..n {
        tokio::task::yield_now().await;
    }
}

async fn run_yield(n: u64) {
    let start = Instant::now();
    let other = tokio::spawn(yields(n));
    yields(n).await;
    other.await.unwrap();
    figure("yield", ns(start, 2.0 * n as f64), "ns");
}

fn fib(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let left = tokio::spawn(fib(n - 1));
        let right = fib(n - 2).await;
        left.await.unwrap() + right
    })
}

fn skynet(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let each = leaves / 10;
        let children: Vec<_> = (0..10).map(|i| tokio::spawn(skynet(first + i * each, each))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

async fn send_all(n: u64, to: mpsc::Sender<u64>) {
    for i in 0..n {
        to.send(i).await.unwrap();
    }
}

async fn receive_all(mut from: mpsc::Receiver<u64>) -> u64 {
    let mut got = 0;
    while from.recv().await.is_some() {
        got += 1;
    }
    got
}

async fn channel(n: u64) {
    let (to, from) = mpsc::channel(64);
    let start = Instant::now();
    let receiver = tokio::spawn(receive_all(from));
    send_all(n, to).await;
    assert_eq!(receiver.await.unwrap(), n);
    figure("channel", ns(start, n as f64), "ns");
}

/// Two runtimes of one thread each, as MAIN and a worker are.
fn across(n: u64) {
    let (to, from) = mpsc::channel(64);
    let receiver = std::thread::spawn(move || runtime(1).block_on(receive_all(from)));
    let here = runtime(1);
    let start = Instant::now();
    here.block_on(send_all(n, to));
    assert_eq!(receiver.join().unwrap(), n);
    figure("channel", ns(start, n as f64), "ns");
}

/// A question to the other runtime and its answer, one after another.
fn hop(n: u64) {
    let (to, mut from) = mpsc::channel::<oneshot::Sender<u64>>(1);
    let other = std::thread::spawn(move || {
        runtime(1).block_on(async move {
            while let Some(answer) = from.recv().await {
                answer.send(1).unwrap();
            }
        })
    });
    let start = Instant::now();
    runtime(1).block_on(async move {
        for _ in 0..n {
            let (answer, back) = oneshot::channel();
            to.send(answer).await.unwrap();
            back.await.unwrap();
        }
    });
    figure("hop", ns(start, n as f64), "ns");
    other.join().unwrap();
}

async fn suspended(n: u64) {
    let turn = Arc::new(Semaphore::new(0));
    let arrived = Arc::new(AtomicU64::new(0));
    let mut all = Vec::with_capacity(n as usize);
    let rss = memory("VmRSS");
    let start = Instant::now();
    for _ in 0..n {
        let (turn, arrived) = (turn.clone(), arrived.clone());
        all.push(tokio::spawn(async move {
            arrived.fetch_add(1, Ordering::Relaxed);
            turn.acquire().await.unwrap().forget();
        }));
    }
    while arrived.load(Ordering::Relaxed) < n {
        tokio::task::yield_now().await;
    }
    figure("create", ms(start), "ms");
    figure("memory", (memory("VmRSS") - rss) / n as f64, "B");
    let start = Instant::now();
    turn.add_permits(n as usize);
    for one in all {
        one.await.unwrap();
    }
    figure("wake", ms(start), "ms");
}

async fn sleepers(n: u64) {
    let (start, cpu) = (Instant::now(), cpu_ms());
    let mut all = Vec::with_capacity(n as usize);
    for i in 0..n {
        let due = start + Duration::from_nanos((i * 7919 % n) * (1_000_000_000 / n));
        all.push(tokio::spawn(tokio::time::sleep_until(due.into())));
    }
    for one in all {
        one.await.unwrap();
    }
    figure("wall", ms(start), "ms");
    figure("cpu", cpu_ms() - cpu, "ms");
}

fn main() {
    let (n, threads) = (param(1, 1000), param(2, 1));
    let work = workload();
    match work.as_str() {
        "across" => return across(n),
        "hop" => return hop(n),
        _ => (),
    }
    let on = runtime(threads);
    on.block_on(async move {
        let start = Instant::now();
        match work.as_str() {
            "call" => call(n).await,
            "await" => tokio::spawn(spawn_await(n)).await.unwrap(),
            "bunch" => tokio::spawn(bunch(n)).await.unwrap(),
            "yield" => tokio::spawn(run_yield(n)).await.unwrap(),
            "channel" => tokio::spawn(channel(n)).await.unwrap(),
            "suspended" => tokio::spawn(suspended(n)).await.unwrap(),
            "sleepers" => tokio::spawn(sleepers(n)).await.unwrap(),
            "fib" => {
                black_box(tokio::spawn(fib(n)).await.unwrap());
                figure("fib", ns(start, calls_of(n)), "ns");
            }
            "skynet" => {
                assert_eq!(tokio::spawn(skynet(0, n)).await.unwrap(), n * (n - 1) / 2);
                figure("skynet", ms(start), "ms");
                figure("memory", memory("VmHWM") / 1e6, "MB");
            }
            _ => std::process::exit(64),
        }
    });
}
