// Resolves names through Go's own resolver; the words and the output are those of resolve.c.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

type lookUp struct {
	Time      float64  `json:"time"`
	Name      string   `json:"name"`
	OK        bool     `json:"ok"`
	Error     *string  `json:"error"`
	Addresses []string `json:"addresses"`
	Ms        float64  `json:"ms"`
}

func resolve(name string) lookUp {
	wall, began := time.Now(), time.Now()
	addresses, err := (&net.Resolver{PreferGo: true}).LookupHost(context.Background(), name)
	result := lookUp{
		Time: float64(wall.UnixMilli()) / 1e3, Name: name, OK: err == nil, Addresses: addresses,
		Ms: float64(time.Since(began).Microseconds()) / 1e3,
	}
	if err != nil {
		class := errorClass(err)
		result.Error, result.Addresses = &class, []string{}
	}
	return result
}

func errorClass(err error) string {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return "OTHER"
	case dns.IsNotFound:
		return "NXDOMAIN"
	case dns.IsTimeout:
		return "TIMEOUT"
	case dns.IsTemporary:
		return "TEMPFAIL"
	}
	return "FAIL"
}

func (l lookUp) String() string {
	said := strings.Join(l.Addresses, " ")
	if !l.OK {
		said = *l.Error
	}
	return fmt.Sprintf("%s %s (%.1f ms)", l.Name, said, l.Ms)
}

func main() {
	names := os.Args[1:]
	if len(names) > 2 && names[0] == "--loop" {
		interval, err := strconv.Atoi(names[1])
		if err != nil {
			fail("the interval is not a number of milliseconds: " + names[1])
		}
		loop(names[2:], time.Duration(interval)*time.Millisecond)
	}
	if len(names) == 0 || strings.HasPrefix(names[0], "-") {
		fail("usage: resolve-go [--loop INTERVAL_MS] NAME...")
	}
	status := 0
	for _, name := range names {
		result := resolve(name)
		fmt.Println(result)
		if !result.OK {
			status = 1
		}
	}
	os.Exit(status)
}

func loop(names []string, interval time.Duration) {
	for out := json.NewEncoder(os.Stdout); ; {
		next := time.Now().Add(interval)
		for _, name := range names {
			_ = out.Encode(resolve(name))
		}
		time.Sleep(time.Until(next))
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(2)
}
