// Go.   usage: peer_go WORKLOAD COUNT THREADS
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func figure(name string, value float64, unit string) { fmt.Printf("%s %.6g %s\n", name, value, unit) }

func ns(start time.Time, n int) float64 { return float64(time.Since(start).Nanoseconds()) / float64(n) }

func ms(start time.Time) float64 { return ns(start, 1) / 1e6 }

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func memory(field string) float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field+":") {
			kb, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kb * 1024
		}
	}
	return 0
}

func await(n int) {
	start := time.Now()
	done := make(chan int, 1)
	for i := 0; i < n; i++ {
		go func(v int) { done <- v + 1 }(i)
		<-done
	}
	figure("await", ns(start, n), "ns")
}

func bunch(n int) {
	var all sync.WaitGroup
	start := time.Now()
	all.Add(n)
	for i := 0; i < n; i++ {
		go all.Done()
	}
	all.Wait()
	figure("bunch", ns(start, n), "ns")
}

func yield(n int) {
	var other sync.WaitGroup
	yields := func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
	}
	start := time.Now()
	other.Add(1)
	go func() { yields(); other.Done() }()
	yields()
	other.Wait()
	figure("yield", ns(start, 2*n), "ns")
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	left := make(chan int, 1)
	go func() { left <- fib(n - 1) }()
	right := fib(n - 2)
	return <-left + right
}

func callsOf(n int) int {
	a, b := 1, 1
	for i := 1; i <= n; i++ {
		a, b = b, a+b
	}
	return 2*a - 1
}

func skynet(first, leaves int, up chan<- int) {
	if leaves == 1 {
		up <- first
		return
	}
	const fan = 10
	down := make(chan int, fan)
	for i := 0; i < fan; i++ {
		go skynet(first+i*(leaves/fan), leaves/fan, down)
	}
	sum := 0
	for i := 0; i < fan; i++ {
		sum += <-down
	}
	up <- sum
}

func channel(n int) {
	values := make(chan int, 64)
	done := make(chan int)
	go func() {
		sum := 0
		for v := range values {
			sum += v
		}
		done <- sum
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		values <- i
	}
	close(values)
	<-done
	figure("channel", ns(start, n), "ns")
}

// Two goroutines, each locked to a thread of its own.
func hop(n int) {
	runtime.LockOSThread()
	there, back := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		for v := range there {
			back <- v + 1
		}
	}()
	start := time.Now()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	figure("hop", ns(start, n), "ns")
	close(there)
}

func suspended(n int) {
	var arrived, gone sync.WaitGroup
	open := make(chan int)
	rss := memory("VmRSS")
	start := time.Now()
	arrived.Add(n)
	gone.Add(n)
	for i := 0; i < n; i++ {
		go func() { arrived.Done(); <-open; gone.Done() }()
	}
	arrived.Wait()
	figure("create", ms(start), "ms")
	figure("memory", (memory("VmRSS")-rss)/float64(n), "B")
	start = time.Now()
	close(open)
	gone.Wait()
	figure("wake", ms(start), "ms")
}

// As the others: due at times spread evenly over a second, in no order. Goroutines that sleep, or timers that call.
func sleepers(n int, armed bool) {
	var woken sync.WaitGroup
	used := cpu()
	start := time.Now()
	woken.Add(n)
	for i := 0; i < n; i++ {
		due := start.Add(time.Duration(i*7919%n) * time.Second / time.Duration(n))
		if armed {
			time.AfterFunc(time.Until(due), woken.Done)
		} else {
			go func() { time.Sleep(time.Until(due)); woken.Done() }()
		}
	}
	woken.Wait()
	figure("wall", ms(start), "ms")
	figure("cpu", float64((cpu()-used).Nanoseconds())/1e6, "ms")
}

func main() {
	n, _ := strconv.Atoi(os.Args[2])
	threads := 1
	if len(os.Args) > 3 {
		threads, _ = strconv.Atoi(os.Args[3])
	}
	runtime.GOMAXPROCS(threads)
	debug.SetGCPercent(100) // what everybody gets
	switch os.Args[1] {
	case "await":
		await(n)
	case "bunch":
		bunch(n)
	case "yield":
		yield(n)
	case "fib":
		start := time.Now()
		fib(n)
		figure("fib", ns(start, callsOf(n)), "ns")
	case "skynet":
		up := make(chan int, 1)
		start := time.Now()
		go skynet(0, n, up)
		if <-up != n*(n-1)/2 {
			os.Exit(1)
		}
		figure("skynet", ms(start), "ms")
		figure("memory", memory("VmHWM")/1e6, "MB")
	case "channel":
		channel(n)
	case "hop":
		hop(n)
	case "suspended":
		suspended(n)
	case "sleepers":
		sleepers(n, false)
	case "timers":
		sleepers(n, true)
	default:
		os.Exit(64)
	}
}
