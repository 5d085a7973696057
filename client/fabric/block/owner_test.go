package block

import (
	"slices"
	"testing"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// A rule builds a part of a policy.
type rule func(*common.SignaturePolicyEnvelope) *common.SignaturePolicy

func signed(member string, role msp.MSPRole_MSPRoleType) rule {
	return func(e *common.SignaturePolicyEnvelope) *common.SignaturePolicy {
		principal, _ := proto.Marshal(&msp.MSPRole{MspIdentifier: member, Role: role})
		e.Identities = append(e.Identities, &msp.MSPPrincipal{PrincipalClassification: msp.MSPPrincipal_ROLE, Principal: principal})
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(len(e.Identities) - 1)}}
	}
}

func outOf(n int32, rules ...rule) rule {
	return func(e *common.SignaturePolicyEnvelope) *common.SignaturePolicy {
		all := &common.SignaturePolicy_NOutOf{N: n}
		for _, r := range rules {
			all.Rules = append(all.Rules, r(e))
		}
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: all}}
	}
}

// TestOwner reads policies that give a key to HospitalA, and refuses all that would let
// others write it, or hold it back.
func TestOwner(t *testing.T) {
	a, b, c := signed("HospitalA", msp.MSPRole_PEER), signed("HospitalB", msp.MSPRole_PEER), signed("HospitalC", msp.MSPRole_PEER)
	for name, tc := range map[string]struct {
		rule   rule
		others []string
		ok     bool
	}{
		"the owner and one of two": {outOf(2, a, outOf(1, b, c)), []string{"HospitalB", "HospitalC"}, true},
		"the owner and one":        {outOf(2, a, outOf(1, b)), []string{"HospitalB"}, true},
		"the only hospital":        {outOf(1, a), nil, true},
		"a peer alone":             {a, nil, false},
		"the owner or another":     {outOf(1, a, outOf(1, b, c)), nil, false},
		"nobody":                   {outOf(0, a, outOf(1, b, c)), nil, false},
		"any other":                {outOf(2, a, outOf(0, b, c)), nil, false},
		"all others":               {outOf(2, a, outOf(2, b, c)), nil, false},
		"no others":                {outOf(2, a, outOf(1)), nil, false},
		"the owner twice":          {outOf(2, a, outOf(1, b, a)), nil, false},
		"another twice":            {outOf(2, a, outOf(1, b, b)), nil, false},
		"more rules":               {outOf(3, a, outOf(1, b), c), nil, false},
		"a person of the owner":    {outOf(2, signed("HospitalA", msp.MSPRole_MEMBER), outOf(1, b)), nil, false},
		"a person of another":      {outOf(2, a, outOf(1, signed("HospitalB", msp.MSPRole_CLIENT))), nil, false},
		"the others before":        {outOf(2, outOf(1, b, c), a), nil, false},
		"nobody's peer":            {outOf(2, signed("", msp.MSPRole_PEER), outOf(1, b)), nil, false},
		"an identity that is absent": {outOf(1, func(*common.SignaturePolicyEnvelope) *common.SignaturePolicy {
			return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: 7}}
		}), nil, false},
	} {
		envelope := &common.SignaturePolicyEnvelope{}
		envelope.Rule = tc.rule(envelope)
		policy, err := proto.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		owner, others, ok := Owner(policy)
		if ok != tc.ok || ok && owner != "HospitalA" || !slices.Equal(others, tc.others) {
			t.Errorf("%s: %q, %q, %v", name, owner, others, ok)
		}
	}
	for _, bad := range [][]byte{nil, {}, {1, 2, 3}} {
		if owner, _, ok := Owner(bad); ok {
			t.Errorf("%x is of %q", bad, owner)
		}
	}
}

// TestOwnedContents reads the policy of an owned key as such, and any other as one that
// this version does not know.
func TestOwnedContents(t *testing.T) {
	policy := func(r rule) []byte {
		envelope := &common.SignaturePolicyEnvelope{}
		envelope.Rule = r(envelope)
		b, err := proto.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := signed("HospitalA", msp.MSPRole_PEER), signed("HospitalB", msp.MSPRole_PEER)
	key := ledger.AuthorityKey("HospitalA")
	c := contentsOf([]Write{{"chartseal", key, policy(outOf(2, a, outOf(1, b))), true}, {"chartseal", key, policy(a), true}}, "chartseal")
	if len(c.Owned) != 1 || c.Owned[0] != (Owned{key, "HospitalA"}) || len(c.Other) != 1 {
		t.Errorf("contents %+v", c)
	}
}
