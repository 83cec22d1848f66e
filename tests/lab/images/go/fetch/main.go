// Fetch prints what a URL answers. It uses the proxy that http_proxy names,
// as curl would: busybox's wget crashes where it is linked with glibc.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	limit := flag.Duration("timeout", 10*time.Second, "how long the whole request may take")
	flag.Parse()
	if err := fetch(flag.Arg(0), *limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fetch(url string, limit time.Duration) error {
	client := http.Client{Timeout: limit}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
