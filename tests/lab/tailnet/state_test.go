package main

import (
	"path/filepath"
	"testing"
)

func TestAnotherProcessCarriesOnWithTheState(t *testing.T) {
	before, _ := testTailnet()
	h, d := join(t, before, "app", reusable)
	file := filepath.Join(t.TempDir(), "state.json")
	if err := before.save(file); err != nil {
		t.Fatal(err)
	}
	after, _ := testTailnet()
	if err := after.load(file); err != nil {
		t.Fatal(err)
	}
	if !after.state.NoiseKey.Equal(before.state.NoiseKey) {
		t.Error("another noise key")
	}
	again, res := h.register(after, "")
	if again == nil || again.StableID != d.StableID || again.IPv4 != d.IPv4 || res.Error != "" {
		t.Errorf("%+v, %+v", again, res)
	}
	if _, next := join(t, after, "app", reusable); next.ID == d.ID || next.IPv4 == d.IPv4 || next.Name != "app-1" {
		t.Errorf("the next device is %+v", next)
	}
}

func TestWithoutAFileTheTailnetStartsEmpty(t *testing.T) {
	tn, _ := testTailnet()
	if err := tn.load(filepath.Join(t.TempDir(), "none.json")); err != nil || len(tn.state.Devices) != 0 {
		t.Errorf("%v, %d devices", err, len(tn.state.Devices))
	}
}
