// An HTTP client by Go's net/http: client PORT REQUESTS CONNECTIONS WARMUP
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	count, _ := strconv.Atoi(os.Args[2])
	conns, _ := strconv.Atoi(os.Args[3])
	warmup, _ := strconv.Atoi(os.Args[4])
	url := "http://127.0.0.1:" + os.Args[1] + "/"
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConns: conns, MaxIdleConnsPerHost: conns}}
	var errors int64
	run := func(n int) {
		left := int64(n)
		var all sync.WaitGroup
		for i := 0; i < conns; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for atomic.AddInt64(&left, -1) >= 0 {
					answer, err := client.Get(url)
					if err != nil {
						atomic.AddInt64(&errors, 1)
						continue
					}
					body, _ := io.ReadAll(answer.Body)
					answer.Body.Close()
					if answer.StatusCode != 200 || string(body) != "hello\n" {
						atomic.AddInt64(&errors, 1)
					}
				}
			}()
		}
		all.Wait()
	}
	run(warmup)
	before, start := cpu(), time.Now()
	run(count)
	fmt.Printf("requests=%d errors=%d seconds=%.3f cpu_ns=%d\n", count, errors,
		time.Since(start).Seconds(), int64(cpu()-before)/int64(count))
	if errors > 0 {
		os.Exit(1)
	}
}
