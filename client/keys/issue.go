package keys

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chartseal/chartseal/abe"
	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Bounds on what is issued by hand. Each attribute has at least its newest
// issuedVersions, and more as long as the file has no more than issuedKeys.
const (
	issuedVersions = 64
	issuedKeys     = 8192
)

// Issue makes the attribute keys of a certificate's holder, as the authority's server
// would: it checks the certificate against the channel's members and their revocation
// lists, and applies the rules. It issues several versions of each attribute, because
// older ones open records that were sealed before a rotation. [Parse] reads the JSON of
// the answer, which is as secret as the keys in it.
//
// Errors:
//   - ErrDenied if no member issued the certificate, if it is not valid now, or if no
//     rule grants its holder an attribute.
//   - ErrRevoked if the certificate is revoked.
//   - ErrNotFound if none of the granted attributes is published.
//   - ErrTampered if a published key does not come from the master key.
//   - Any error of the ledger or of members.
func Issue(ctx context.Context, l Catalog, members func(context.Context) ([]authority.MSP, error),
	master *abe.MasterKey, rules *authority.Mapping, certificate *x509.Certificate) (*authority.KeysResponse, error) {
	holder, err := authority.NewVerifier(members).Verify(ctx, certificate)
	if err != nil {
		return nil, fmt.Errorf("issue keys: %w", Translate(err))
	}
	names := rules.Grant(holder, time.Now())
	if len(names) == 0 {
		return nil, ledger.Errorf(ledger.ErrDenied, "issue keys: no rule grants %s anything", holder.GID())
	}
	versions, err := Issuable(l, master)(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("issue keys: %w", err)
	}
	response := &authority.KeysResponse{Authority: master.Authority(), GID: holder.GID()}
	each := max(issuedVersions, issuedKeys/len(names))
	var wanted []abe.KeyVersion
	for _, name := range names {
		for v := max(1, versions[name]-each+1); v <= versions[name]; v++ {
			if !master.Foreign(name, v) {
				wanted = append(wanted, abe.KeyVersion{Attribute: name, Version: v})
			}
		}
	}
	issued, err := master.IssueAll(holder.GID(), wanted)
	if err != nil {
		return nil, fmt.Errorf("issue keys: %w", err)
	}
	for _, key := range issued {
		b, err := key.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("issue keys: %w", err)
		}
		response.Keys = append(response.Keys, authority.IssuedKey{Name: key.Name(), Version: key.Version(), Key: base64.StdEncoding.EncodeToString(b)})
	}
	if len(response.Keys) == 0 {
		return nil, ledger.Errorf(ledger.ErrNotFound, "issue keys: none of %s is published", strings.Join(names, ", "))
	}
	return response, nil
}

// Parse reads the JSON of an answer of [Issue]: at least one key, all of one authority.
// Check the keys with [Check] before using them.
//
// Errors:
//   - ErrInvalid if it is not such an answer.
func Parse(text []byte) ([]*abe.UserKey, error) {
	var response authority.KeysResponse
	if err := json.Unmarshal(text, &response); err != nil {
		return nil, ledger.Errorf(ledger.ErrInvalid, "it is not JSON: %v", err)
	}
	if len(response.Keys) == 0 {
		return nil, ledger.Errorf(ledger.ErrInvalid, "it holds no keys")
	}
	var issued []*abe.UserKey
	for _, k := range response.Keys {
		b, err := base64.StdEncoding.DecodeString(k.Key)
		if err != nil {
			return nil, ledger.Errorf(ledger.ErrInvalid, "the key of %s is not base64", k.Name)
		}
		key, err := abe.ParseUserKey(b)
		if err != nil {
			return nil, ledger.Errorf(ledger.ErrInvalid, "the key of %s: %v", k.Name, err)
		}
		if key.Attribute().Authority != response.Authority {
			return nil, ledger.Errorf(ledger.ErrInvalid, "the key of %s is not of %s", key.Name(), response.Authority)
		}
		issued = append(issued, key)
	}
	return issued, nil
}
