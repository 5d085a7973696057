package network

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaultTopology(t *testing.T) {
	d := Default()
	var names []string
	for _, o := range d.Organisations() {
		names = append(names, o.Name)
	}
	if got := strings.Join(names, " "); got != "HospitalA HospitalB HospitalC Regulator" {
		t.Errorf("organisations %s", got)
	}
	want := "HospitalA:role=doctor or HospitalB:role=doctor or HospitalC:role=doctor"
	if got := d.policyText(d.Scopes[0]); d.Scopes[0].Name != "consortium" || got != want {
		t.Errorf("scope %s: policy %q", d.Scopes[0].Name, got)
	}
	if d.Hospitals[0].Users["doctor"]["department"] != "cardiology" {
		t.Errorf("users of HospitalA: %v", d.Hospitals[0].Users)
	}
}

func TestLoad(t *testing.T) {
	load := func(text string) (*Topology, error) {
		file := filepath.Join(t.TempDir(), "t.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file)
	}
	got, err := load("ports: free\nchaincodeProgram: another\nordering: {type: raft, batchInterval: 1s}\nhospitals: [{name: X}, {name: Y}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if got.ChaincodeProgram != "another" || got.Ordering.Type != Raft {
		t.Errorf("read %+v", got)
	}
	if got.Ports != FreePorts || got.Ordering.BatchInterval != time.Second || len(got.Hospitals) != 2 {
		t.Errorf("read %+v", got)
	}
	if got.Channel != "chartseal" || got.Ordering.BatchCount != Default().Ordering.BatchCount || len(got.Regulators) != 1 {
		t.Errorf("defaults lost: %+v", got)
	}
	if _, err := load(""); err != nil {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}

	for _, c := range []struct{ text, want string }{
		{"colour: blue", "field colour not found"},
		{"ports: some", `"some" is neither a port number nor the word free`},
		{"ports: 0", "neither a port number"},
		{"ports: 80", "do not fit into 1024 to 65535"},
		{"ports: 65500", "do not fit into 1024 to 65535"},
		{"directory: ''", "directory is empty"},
		{"channel: Chart_Seal", "channel"},
		{"chaincode: ''", "chaincode"},
		{"chaincodeProgram: ''", "chaincodeProgram"},
		{"chaincodeProgram: ../chartseal", "chaincodeProgram"},
		{"hospitals: [{name: A}]", "1 given, want 2 to 16"},
		{"hospitals: []", "0 given, want 2 to 16"},
		{"regulators: []", "0 given, want 1 to 4"},
		{"hospitals: [{name: A}, {name: a}]", `organisation "a" is named twice`},
		{"hospitals: [{name: A}, {name: Regulator}]", `organisation "Regulator" is named twice`},
		{"hospitals: [{name: A}, {name: '../B'}]", `organisation "../B"`},
		{"hospitals: [{name: A}, {name: \"B'C\"}]", "want letters, digits"},
		{"hospitals: [{name: A, users: {peer: {}}}, {name: B}]", "the network makes a user of that name itself"},
		{"hospitals: [{name: A, users: {'a/b': {}}}, {name: B}]", `user "a/b" of A`},
		{"hospitals: [{name: A, users: {u: {hf.Revoker: x}}}, {name: B}]", `attribute "hf.Revoker" of u@A`},
		{"scopes: [{name: s}]", "want either policy or hospitals"},
		{"scopes: [{name: s, policy: p, hospitals: h}]", "want either policy or hospitals"},
		{"scopes: [{name: s, policy: p}, {name: s, policy: p}]", "used twice"},
		{"ordering: {batchInterval: 0s}", "ordering.batchInterval"},
		{"ordering: {type: solo}", `ordering.type "solo": want bft or raft`},
		{"ordering: {type: ''}", "ordering.type"},
		{"ordering: {electionTimeout: 0s}", "ordering.electionTimeout"},
		{"ordering: {batchCount: 0}", "ordering.batchCount"},
		{"ordering: {batchInterval: soon}", "soon"},
		{"copies: {max: 1}", "copies min 2, max 1"},
		{"copies: {leeway: 1s}", `leeway "1s"`},
		{"copies: {sizes: [{above: 5, min: 1, max: 1}, {above: 4, min: 1, max: 1}]}", "rising sizes"},
		{"certificateLifetime: 59s", "certificateLifetime: 59s is under a minute"},
		{"ordering: {requestForwardTimeout: 5s}", "requestForwardTimeout <= requestComplainTimeout"},
		{"ordering: {viewChangeTimeout: 1s}", "viewChangeResendInterval <= viewChangeTimeout"},
		{"ordering: {batchBytes: 10}", "preferredBatchBytes <= batchBytes"},
	} {
		if _, err := load(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.text, err, c.want)
		}
	}
}

func TestDifference(t *testing.T) {
	s := &state{Ports: 17000, Topology: *Default()}
	for want, change := range map[string]func(*Topology){
		"": func(d *Topology) {
			d.Hospitals[0].Users["new"] = nil
			d.Scopes = nil
			d.CertificateLifetime = time.Hour
			d.Copies.Max = 5
		},
		"hospitals":  func(d *Topology) { d.Hospitals = d.Hospitals[1:] },
		"regulators": func(d *Topology) { d.Regulators[0].Name = "Other" },
		"channel":    func(d *Topology) { d.Channel = "other" },
		"chaincode":  func(d *Topology) { d.Chaincode = "other" },
		"ordering":   func(d *Topology) { d.Ordering.BatchCount++ },
		"ports":      func(d *Topology) { d.Ports = 18000 },
	} {
		d := Default()
		change(d)
		if got := s.difference(d); got != want {
			t.Errorf("difference %q, want %q", got, want)
		}
	}
	free := Default()
	free.Ports = FreePorts
	if got := s.difference(free); got != "" {
		t.Errorf("difference %q when any ports would do", got)
	}
}
