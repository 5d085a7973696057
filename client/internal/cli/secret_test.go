package cli

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/abe"
)

// secret prints what tells two master secrets apart, a digest of keys that they make:
// secret DIR IDENTITY-FILE.
func secret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: secret DIR IDENTITY-FILE")
	}
	f, err := os.Open(ts.MkAbs(args[1]))
	ts.Check(err)
	defer f.Close()
	identities, err := age.ParseIdentities(f)
	ts.Check(err)
	sealed, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), "master.age"))
	ts.Check(err)
	m, err := abe.OpenMaster(sealed, identities...)
	ts.Check(err)
	public, err := m.PublicKey(m.Authority()+":role=doctor", 2)
	ts.Check(err)
	b, err := public.MarshalBinary()
	ts.Check(err)
	issued, err := m.Issue(m.Authority()+"/ada", m.Authority()+":senior", 1)
	ts.Check(err)
	k, err := issued.MarshalBinary()
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%x\n", sha256.Sum256(append(b, k...)))
}
