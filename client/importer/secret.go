package importer

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/abe"
)

// maxSecrets bounds the secrets of a job, as each one costs an id in a question to the
// ledger.
const maxSecrets = 4

// Secrets derives the secrets that a job may have from its person's attribute keys. An
// authority gives the same keys again to the same person. So a wallet that was restored
// from an older copy, or made anew, finds on the ledger what a lost journal has done. A
// person's attributes may change, so there is one secret for each attribute, the first of
// them for a new journal. Name is that of the journal if the person chose it, and makes
// another job of the same source.
//
// Besides its holder, the authority that issued a key can derive the secret. It could
// test whether the holder has imported a file that it has.
func Secrets(keys []*abe.UserKey, h Header, name string) ([][]byte, error) {
	home, _, _ := strings.Cut(h.Actor, "/")
	oldest := make(map[string]*abe.UserKey)
	for _, k := range keys {
		if o := oldest[k.Name()]; o == nil || k.Version() < o.Version() {
			oldest[k.Name()] = k
		}
	}
	var all []*abe.UserKey
	for _, k := range oldest {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *abe.UserKey) int {
		foreign := func(k *abe.UserKey) int {
			if k.Attribute().Authority == home {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(foreign(a), foreign(b)), strings.Compare(a.Name(), b.Name()))
	})
	info := strings.Join([]string{"chartseal/import/job/v1", h.Actor, h.Source, strconv.FormatBool(h.Split), name}, "\x00")
	var secrets [][]byte
	for _, k := range all[:min(len(all), maxSecrets)] {
		raw, err := k.MarshalBinary()
		if err != nil {
			return nil, err
		}
		secret, err := hkdf.Key(sha256.New, raw, nil, info, sha256.Size)
		clear(raw)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}
