package fabric

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/abe/authority"
	"github.com/chartseal/chartseal/chaincode/ledger"
)

// ChannelMSPs reads the application organisations of the channel's present configuration
// from the peer: roots, intermediates, TLS roots and CRLs, sorted by MSP ID. It has
// the form that authority.NewVerifier takes.
func (g *Gateway) ChannelMSPs(ctx context.Context) ([]authority.MSP, error) {
	answer, err := g.evaluateOn(ctx, g.network.GetContract("cscc"), "GetChannelConfig", g.user.Profile.Channel)
	if err != nil {
		return nil, err
	}
	members, err := membersOf(answer)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of channel %s: %w", g.user.Profile.Channel, err)
	}
	return members, nil
}

// membersOf takes the MSPs out of a common.Config.
func membersOf(config []byte) ([]authority.MSP, error) {
	var c common.Config
	if err := proto.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	organisations := c.GetChannelGroup().GetGroups()["Application"].GetGroups()
	if len(organisations) == 0 {
		return nil, ledger.Errorf(ledger.ErrTampered, "no application organisations")
	}
	var all []authority.MSP
	for name, org := range organisations {
		m, err := memberOf(org.GetValues()["MSP"].GetValue())
		if err != nil {
			return nil, fmt.Errorf("organisation %s: %w", name, err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b authority.MSP) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

func memberOf(value []byte) (authority.MSP, error) {
	var none authority.MSP
	var outer msp.MSPConfig
	if err := proto.Unmarshal(value, &outer); err != nil {
		return none, err
	}
	const x509MSP = 0 // msp.FABRIC; Idemix has no certificates
	if outer.GetType() != x509MSP {
		return none, ledger.Errorf(ledger.ErrInvalid, "MSP of type %d", outer.GetType())
	}
	var c msp.FabricMSPConfig
	if err := proto.Unmarshal(outer.GetConfig(), &c); err != nil {
		return none, err
	}
	m := authority.MSP{ID: c.GetName()}
	for _, list := range []struct {
		from [][]byte
		to   *[]*x509.Certificate
	}{{c.GetRootCerts(), &m.Roots}, {c.GetIntermediateCerts(), &m.Intermediates}, {c.GetTlsRootCerts(), &m.TLSRoots}} {
		for _, text := range list.from {
			block, _ := pem.Decode(text)
			if block == nil {
				return none, ledger.Errorf(ledger.ErrInvalid, "a certificate is not PEM")
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return none, err
			}
			*list.to = append(*list.to, cert)
		}
	}
	for _, text := range c.GetRevocationList() {
		der := text
		if block, _ := pem.Decode(text); block != nil {
			der = block.Bytes
		}
		crl, err := x509.ParseRevocationList(der)
		if err != nil {
			return none, fmt.Errorf("revocation list: %w", err)
		}
		m.CRLs = append(m.CRLs, crl)
	}
	return m, nil
}
