package importer_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/clienttest"
	"github.com/chartseal/chartseal/client/importer"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/outbox"
)

const (
	doctors = "HospitalA:role=doctor"
	nurses  = "HospitalA:role=nurse"
)

// A hospital is a World with one hospital, its doctor and what is on the doctor's disk.
type hospital struct {
	world   *clienttest.World
	blobs   *clienttest.MemoryBlobs
	doctor  age.Identity
	keys    []*abe.UserKey
	master  *abe.MasterKey
	disk    string // journal and outbox
	journal string
}

func newHospital(t *testing.T) *hospital {
	t.Helper()
	h := &hospital{world: &clienttest.World{}, blobs: &clienttest.MemoryBlobs{}, disk: t.TempDir()}
	h.journal = filepath.Join(h.disk, "job")
	master, err := abe.NewMasterKey("HospitalA", rand.Reader)
	check(t, err)
	var published []ledger.AttributeKey
	for _, name := range []string{doctors, nurses} {
		k, err := master.PublicKey(name, 1)
		check(t, err)
		raw, err := k.MarshalBinary()
		check(t, err)
		published = append(published, ledger.AttributeKey{Name: name, Version: 1, Key: base64.StdEncoding.EncodeToString(raw)})
	}
	authority := h.world.As("HospitalA", "authority", ledger.RoleAuthority)
	check(t, authority.Announce(t.Context(), authority.SignedAnnouncement(ledger.Announcement{URL: "https://HospitalA"})))
	check(t, authority.PublishKeys(t.Context(), authority.Signed(published...)))
	key, err := master.Issue(ledger.Actor("HospitalA", "doctor"), doctors, 1)
	check(t, err)
	h.master, h.keys = master, []*abe.UserKey{key}
	h.doctor, err = abe.NewIdentity(h.keys)
	check(t, err)
	keeper := h.world.As("HospitalA", "custodian", ledger.RoleCustodian)
	custodian, err := client.New(client.Config{Ledger: keeper, Signer: keeper.Signer(), Blobs: h.blobs})
	check(t, err)
	_, err = custodian.CreateScope(t.Context(), "consortium", doctors)
	check(t, err)
	return h
}

// client is the doctor's, with the outbox on the disk.
func (h *hospital) client(t *testing.T) *client.Client {
	t.Helper()
	box, err := outbox.Open(filepath.Join(h.disk, "outbox"))
	check(t, err)
	l := h.world.As("HospitalA", "doctor", "doctor")
	c, err := client.New(client.Config{
		Ledger: l, Signer: l.Signer(), Blobs: h.blobs, Identities: []age.Identity{h.doctor}, Outbox: box,
	})
	check(t, err)
	return c
}

// job imports source with the rules; rows are collected.
func (h *hospital) job(t *testing.T, source string, rules *importer.Rules, rows *[]importer.Row) *importer.Job {
	t.Helper()
	l := h.world.As("HospitalA", "doctor", "doctor")
	header := importer.Header{Actor: l.Actor(), Source: source}
	secrets, err := importer.Secrets(h.keys, header, "")
	check(t, err)
	header.Secret = secrets[0]
	j, err := importer.OpenJournal(h.journal, header)
	check(t, err)
	t.Cleanup(func() { j.Close() })
	c := h.client(t)
	return &importer.Job{
		Source: source, Rules: rules, Scope: "consortium", Client: c, Ledger: l, Journal: j, Backoff: 1, Jobs: 2, Secrets: secrets,
		Flush: func(ctx context.Context, all bool) (int, error) {
			r, err := c.FlushIndex(ctx, client.FlushOptions{All: all})
			return r.Records, err
		},
		Reindex: func(ctx context.Context, ids []string) error {
			_, err := c.RebuildIndex(ctx, client.RebuildOptions{IDs: ids, KeepEntries: true})
			return err
		},
		Report: func(r importer.Row) error {
			if rows != nil {
				*rows = append(*rows, r)
			}
			return nil
		},
	}
}

func run(t *testing.T, j *importer.Job) importer.Summary {
	t.Helper()
	sum, err := j.Run(t.Context())
	check(t, err)
	check(t, j.Journal.Close())
	return sum
}

func one(t *testing.T, r importer.Rule) *importer.Rules {
	t.Helper()
	rules, err := importer.OneRule(r)
	check(t, err)
	return rules
}

// contents opens every record of the ledger.
func (h *hospital) contents(t *testing.T) []string {
	t.Helper()
	c := h.client(t)
	page, err := h.world.As("HospitalA", "custodian", ledger.RoleCustodian).AuditRecords(t.Context(), ledger.RecordQuery{})
	check(t, err)
	var all []string
	for _, v := range page.Versions {
		var out sink
		_, err := c.Open(t.Context(), v.ID, &out, client.OpenRequest{})
		check(t, err)
		all = append(all, string(out))
	}
	slices.Sort(all)
	return all
}

// found gives the ids that a query finds.
func (h *hospital) found(t *testing.T, query string) []string {
	t.Helper()
	r, err := h.client(t).Search(t.Context(), index.MustParseQuery(query), client.SearchOptions{Scope: "consortium", Limit: 10000})
	check(t, err)
	var ids []string
	for _, hit := range r.Hits {
		ids = append(ids, hit.ID)
	}
	slices.Sort(ids)
	return ids
}

type sink []byte

func (s *sink) Write(p []byte) (int, error) { *s = append(*s, p...); return len(p), nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree writes files, by name.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, []byte(content), 0o600))
	}
	return dir
}
