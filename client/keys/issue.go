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
	"github.com/chartseal/chartseal/client"
)

// issuedVersions is how many of an attribute's newest versions are issued; the same as
// the authority's server does.
const issuedVersions = 64

// Issue makes the keys of whom a certificate names, as the authority's server would: the
// certificate is checked against the channel's members and their revocation lists, and
// the rules decide. The keys are those of the attributes' newest versions, as what was
// sealed before a rotation is opened with older ones. Its JSON is what [Parse] reads, and
// as secret as the keys in it.
func Issue(ctx context.Context, l client.Ledger, members func(context.Context) ([]authority.MSP, error),
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
	for _, name := range names {
		for v := max(1, versions[name]-issuedVersions+1); v <= versions[name]; v++ {
			key, err := master.Issue(holder.GID(), name, v)
			if err != nil {
				return nil, fmt.Errorf("issue keys: %w", err)
			}
			b, err := key.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("issue keys: %w", err)
			}
			response.Keys = append(response.Keys, authority.IssuedKey{Name: name, Version: v, Key: base64.StdEncoding.EncodeToString(b)})
		}
	}
	if len(response.Keys) == 0 {
		return nil, ledger.Errorf(ledger.ErrNotFound, "issue keys: none of %s is published", strings.Join(names, ", "))
	}
	return response, nil
}

// Parse reads what [Issue] made: at least one key, all of one authority. Use them only
// after [Check]. Its errors are ErrInvalid.
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
