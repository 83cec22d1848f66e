package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// fault is trouble that a test asks for. Which requests it meets is told by
// Target: "oauth", "api" (all of the API but oauth), "register", "map",
// "connect" (/key and /ts2021), "all", or a path prefix that starts with "/".
type fault struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	// Outage cuts connections without an answer. Otherwise the answer is
	// Status, with Retry-After if that is not 0.
	Outage     bool `json:"outage,omitempty"`
	Status     int  `json:"status,omitempty"`
	RetryAfter int  `json:"retry_after,omitempty"`
	// The fault lasts for Seconds or for Count requests, or until it is deleted.
	Seconds float64 `json:"seconds,omitempty"`
	Count   int     `json:"count,omitempty"`
	// With Rate, so many requests per second (Burst at once) are let through.
	Rate  float64 `json:"rate,omitempty"`
	Burst int     `json:"burst,omitempty"`

	Hits    int       `json:"hits"` // requests that it has met
	Started time.Time `json:"started"`

	limiter *rate.Limiter
}

// faults are those in force.
type faults struct {
	mu     sync.Mutex
	last   int
	active []*fault
}

func (f *fault) check() error {
	known := []string{"oauth", "api", "register", "map", "connect", "all"}
	switch {
	case !slices.Contains(known, f.Target) && !strings.HasPrefix(f.Target, "/"):
		return fmt.Errorf("target must be one of %s or a path, not %q", strings.Join(known, ", "), f.Target)
	case f.Outage && (f.Status != 0 || f.Rate != 0):
		return fmt.Errorf("an outage has neither status nor rate")
	case f.Rate > 0 && f.Burst < 1:
		return fmt.Errorf("a rate needs a burst of at least 1")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status must be from 400 to 599, not %d", f.Status)
	}
	return nil
}

func (fs *faults) add(f *fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	f.ID, f.Started, f.Hits = "f"+strconv.Itoa(fs.last), time.Now(), 0
	if f.Status == 0 && !f.Outage {
		f.Status = http.StatusTooManyRequests
	}
	if f.Rate > 0 {
		f.limiter = rate.NewLimiter(rate.Limit(f.Rate), f.Burst)
	}
	fs.active = append(fs.active, f)
}

// remove ends one fault, or all if id is empty. It reports whether there were any.
func (fs *faults) remove(id string) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.active)
	fs.active = slices.DeleteFunc(fs.active, func(f *fault) bool { return id == "" || f.ID == id })
	return len(fs.active) < before
}

func (fs *faults) list() []fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := []fault{}
	for _, f := range fs.active {
		list = append(list, *f)
	}
	return list
}

// meets gives a copy of the first fault that the request runs into, or nil.
func (fs *faults) meets(path string) *fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.active {
		if !f.over() && f.targets(path) && (f.limiter == nil || !f.limiter.Allow()) {
			f.Hits++
			met := *f
			return &met
		}
	}
	return nil
}

func (f *fault) over() bool {
	timeUp := f.Seconds > 0 && time.Since(f.Started).Seconds() >= f.Seconds
	return timeUp || f.Count > 0 && f.Hits >= f.Count
}

func (f *fault) targets(path string) bool {
	const oauth, api = "/api/v2/oauth/", "/api/v2/"
	switch f.Target {
	case "all":
		return true
	case "oauth":
		return strings.HasPrefix(path, oauth)
	case "api":
		return strings.HasPrefix(path, api) && !strings.HasPrefix(path, oauth)
	case "register", "map":
		return path == "/machine/"+f.Target
	case "connect":
		return path == "/key" || path == "/ts2021"
	default:
		return strings.HasPrefix(path, f.Target)
	}
}

// before lets requests through to next unless they meet a fault.
func (fs *faults) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := fs.meets(r.URL.Path)
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		note(r).fault(f.ID)
		if f.Outage {
			panic(http.ErrAbortHandler) // cuts the connection without an answer
		}
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		writeError(w, f.Status, "%s", strings.ToLower(http.StatusText(f.Status)))
	})
}
