package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"
)

// load takes over what an earlier process saved. Without a file the tailnet
// starts empty.
func (t *tailnet) load(path string) error {
	saved, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := json.Unmarshal(saved, &t.state); err != nil {
		return fmt.Errorf("parse %s: %w", path, err)
	}
	now := t.now()
	for _, d := range t.state.Devices {
		// Nobody is connected yet, and those that were away get a new chance.
		d.online, d.offlineSince = d.StaysOnline, now
	}
	t.choosePrimaryRoutes()
	return nil
}

// save writes the state, if it changed, so that a reader never sees half of it.
func (t *tailnet) save(path string) error {
	t.mu.Lock()
	if !t.dirty {
		t.mu.Unlock()
		return nil
	}
	encoded, err := json.Marshal(t.state)
	t.dirty = false
	t.mu.Unlock()
	if err != nil {
		return err
	}
	unfinished := path + ".new"
	if err := os.WriteFile(unfinished, encoded, 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// housekeeping saves the state and removes stale devices, until ctx ends.
func (t *tailnet) housekeeping(ctx context.Context, stateFile string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.removeStaleEphemeral()
			if stateFile == "" {
				continue
			}
			if err := t.save(stateFile); err != nil {
				log.Printf("save the state: %v", err)
			}
		}
	}
}
