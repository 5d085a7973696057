package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// members is a peer that lists the channel's organisations.
type members func(context.Context) ([]authority.MSP, error)

func (m members) ChannelMSPs(ctx context.Context) ([]authority.MSP, error) { return m(ctx) }

// TestMembers: a peer adds its own root to a member, or withholds a revocation list. Any
// witness that answers detects it. If none answers, the list is refused.
func TestMembers(t *testing.T) {
	honest := authority.MSP{
		ID: "HospitalA", Roots: []*x509.Certificate{{Raw: []byte("root")}}, TLSRoots: []*x509.Certificate{{Raw: []byte("tls")}},
		CRLs: []*x509.RevocationList{{Raw: []byte("list")}},
	}
	forged, forgedTLS, withheld := honest, honest, honest
	forged.Roots = append(forged.Roots[:1:1], &x509.Certificate{Raw: []byte("the peer's own")})
	forgedTLS.TLSRoots = []*x509.Certificate{{Raw: []byte("the peer's own")}}
	withheld.CRLs = nil
	says := func(m ...authority.MSP) members {
		return func(context.Context) ([]authority.MSP, error) { return m, nil }
	}
	down := members(func(context.Context) ([]authority.MSP, error) {
		return nil, ledger.Errorf(ledger.ErrUnavailable, "down")
	})
	late := 0
	for name, tc := range map[string]struct {
		own       members
		witnesses []members
		want      error
	}{
		"all agree":               {says(honest), []members{says(honest)}, nil},
		"a forged root":           {says(forged), []members{says(honest)}, ledger.ErrTampered},
		"a forged TLS root":       {says(forgedTLS), []members{says(honest)}, ledger.ErrTampered},
		"a withheld revocation":   {says(withheld), []members{says(honest)}, ledger.ErrTampered},
		"a member left out":       {says(), []members{says(honest)}, ledger.ErrTampered},
		"lie, first witness down": {says(forged), []members{down, says(honest)}, ledger.ErrTampered},
		"no witness answers":      {says(honest), []members{down, down}, ledger.ErrUnavailable},
		"own peer down":           {down, []members{says(honest)}, ledger.ErrUnavailable},
		"a witness that is behind": {says(honest), []members{func(context.Context) ([]authority.MSP, error) {
			if late++; late < 3 {
				return []authority.MSP{withheld}, nil
			}
			return []authority.MSP{honest}, nil
		}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := listMembers(t.Context(), tc.own, tc.witnesses)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if err == nil && (len(got) != 1 || !sameMSP(got[0], honest)) {
				t.Errorf("got %v", got)
			}
		})
	}
}
