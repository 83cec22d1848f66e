package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxRequests bounds the memory of a long test run; the oldest go first.
const maxRequests = 200_000

// requestRecord is what the lab remembers of one request. It never holds a
// secret: neither headers nor bodies, only what a handler says about them.
type requestRecord struct {
	Seq        int       `json:"seq"`
	Time       time.Time `json:"time"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Remote     string    `json:"remote"`
	Status     int       `json:"status"` // 0 while it is being answered, or when it was cut
	DurationMS int64     `json:"duration_ms"`
	Done       bool      `json:"done"`
	Hostname   string    `json:"hostname,omitempty"` // of the calling device
	NodeID     string    `json:"node_id,omitempty"`
	Client     string    `json:"client,omitempty"` // the ID of the calling credential
	Fault      string    `json:"fault,omitempty"`  // the ID of the fault that answered
	Summary    any       `json:"summary,omitempty"`
}

// requestLog keeps the records in memory. Records change until they are done,
// so all access goes through its lock.
type requestLog struct {
	mu      sync.Mutex
	seq     int
	records []*requestRecord
}

func (l *requestLog) begin(r *http.Request) *requestRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	record := &requestRecord{Seq: l.seq, Time: time.Now(), Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr}
	l.records = append(l.records, record)
	if len(l.records) > maxRequests {
		l.records = l.records[len(l.records)-maxRequests:]
	}
	return record
}

// since gives copies of the records that came after a sequence number.
func (l *requestLog) since(seq int) []requestRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := []requestRecord{}
	for _, record := range l.records {
		if record.Seq > seq {
			records = append(records, *record)
		}
	}
	return records
}

func (l *requestLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = nil
}

// recorded wraps a handler so that the log shows its requests.
func (l *requestLog) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &requestNote{log: l, record: l.begin(r)}
		defer n.set(func(record *requestRecord) {
			record.DurationMS = time.Since(record.Time).Milliseconds()
			record.Done = true
		})
		answer := &statusWriter{ResponseWriter: w, note: n}
		next.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), noteKey{}, n)))
		answer.began(http.StatusOK) // what a handler that writes nothing answers
	})
}

type noteKey struct{}

// requestNote lets a handler say more about the request that it answers.
type requestNote struct {
	log    *requestLog
	record *requestRecord
}

// note gives the note of a request; outside of a log it goes nowhere.
func note(r *http.Request) *requestNote {
	if n, ok := r.Context().Value(noteKey{}).(*requestNote); ok {
		return n
	}
	return &requestNote{log: &requestLog{}, record: &requestRecord{}}
}

func (n *requestNote) set(change func(*requestRecord)) {
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	change(n.record)
}

// node names the calling device; d is nil if the tailnet does not know it.
func (n *requestNote) node(t *tailnet, d *device, hostname string) {
	var id string
	if d != nil {
		t.mu.Lock()
		id, hostname = string(d.StableID), d.hostname()
		t.mu.Unlock()
	}
	n.set(func(record *requestRecord) { record.Hostname, record.NodeID = hostname, id })
}

func (n *requestNote) client(id string) {
	n.set(func(record *requestRecord) { record.Client = id })
}

func (n *requestNote) fault(id string) {
	n.set(func(record *requestRecord) { record.Fault = id })
}

func (n *requestNote) summarise(summary any) {
	n.set(func(record *requestRecord) { record.Summary = summary })
}

// statusWriter notes the status of an answer as soon as it begins.
type statusWriter struct {
	http.ResponseWriter
	note  *requestNote
	begun bool
}

func (w *statusWriter) began(code int) {
	if !w.begun {
		w.begun = true
		w.note.set(func(record *requestRecord) { record.Status = code })
	}
}

func (w *statusWriter) WriteHeader(code int) {
	w.began(code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.began(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush through this writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is for the handshake of the encrypted connection, which asks for it
// directly.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
