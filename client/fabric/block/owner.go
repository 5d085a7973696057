package block

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// Owner reads the endorsement policy of a key that a hospital owns: it needs the owner's
// peer and that of one of the others. A consortium of one hospital has no others. It
// returns false for a policy of any other form.
func Owner(policy []byte) (owner string, others []string, ok bool) {
	var envelope common.SignaturePolicyEnvelope
	if proto.Unmarshal(policy, &envelope) != nil || envelope.GetVersion() != 0 {
		return "", nil, false
	}
	all := envelope.GetRule().GetNOutOf()
	if n := len(all.GetRules()); n < 1 || n > 2 || int(all.GetN()) != n {
		return "", nil, false
	}
	if owner, ok = peerOf(&envelope, all.GetRules()[0]); !ok || len(all.GetRules()) == 1 {
		return owner, nil, ok
	}
	second := all.GetRules()[1].GetNOutOf()
	if second.GetN() != 1 || len(second.GetRules()) == 0 {
		return "", nil, false
	}
	for _, rule := range second.GetRules() {
		other, ok := peerOf(&envelope, rule)
		if !ok || other == owner || slices.Contains(others, other) {
			return "", nil, false
		}
		others = append(others, other)
	}
	return owner, others, true
}

// peerOf returns the member whose peer a rule asks for.
func peerOf(envelope *common.SignaturePolicyEnvelope, rule *common.SignaturePolicy) (string, bool) {
	by, ok := rule.GetType().(*common.SignaturePolicy_SignedBy)
	if !ok || by.SignedBy < 0 || int(by.SignedBy) >= len(envelope.GetIdentities()) {
		return "", false
	}
	principal := envelope.GetIdentities()[by.SignedBy]
	var role msp.MSPRole
	if principal.GetPrincipalClassification() != msp.MSPPrincipal_ROLE || proto.Unmarshal(principal.GetPrincipal(), &role) != nil {
		return "", false
	}
	return role.GetMspIdentifier(), role.GetRole() == msp.MSPRole_PEER && role.GetMspIdentifier() != ""
}
