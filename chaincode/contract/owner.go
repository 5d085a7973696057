package contract

import (
	"slices"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// ownerPolicy is the endorsement policy of a key that a hospital owns: its own peer and
// that of another hospital. Without it, any two hospitals' peers could overwrite the key.
// A signature would show that, but the owner would be cut off. The owner's peer alone is
// not enough either: it could bring an old state back.
//
// Fabric checks the policy of the value before the change. So it protects a key from its
// first write on, and a key of an earlier release from its next write on. Keys that many
// hospitals write, such as [ledger.SearchableKey], have no owner.
func (c consortium) ownerPolicy(owner string) ([]byte, error) {
	others := slices.DeleteFunc(slices.Sorted(slices.Values(c.hospitals)), func(h string) bool { return h == owner })
	envelope := &common.SignaturePolicyEnvelope{}
	signedBy := func(h string) (*common.SignaturePolicy, error) {
		role, err := proto.MarshalOptions{Deterministic: true}.Marshal(&msp.MSPRole{MspIdentifier: h, Role: msp.MSPRole_PEER})
		envelope.Identities = append(envelope.Identities, &msp.MSPPrincipal{PrincipalClassification: msp.MSPPrincipal_ROLE, Principal: role})
		return &common.SignaturePolicy{Type: &common.SignaturePolicy_SignedBy{SignedBy: int32(len(envelope.Identities) - 1)}}, err
	}
	own, err := signedBy(owner)
	if err != nil {
		return nil, err
	}
	all := []*common.SignaturePolicy{own}
	if len(others) > 0 {
		var rules []*common.SignaturePolicy
		for _, h := range others {
			rule, err := signedBy(h)
			if err != nil {
				return nil, err
			}
			rules = append(rules, rule)
		}
		all = append(all, outOf(1, rules))
	}
	envelope.Rule = outOf(len(all), all)
	return proto.MarshalOptions{Deterministic: true}.Marshal(envelope)
}

func outOf(n int, rules []*common.SignaturePolicy) *common.SignaturePolicy {
	return &common.SignaturePolicy{Type: &common.SignaturePolicy_NOutOf_{NOutOf: &common.SignaturePolicy_NOutOf{N: int32(n), Rules: rules}}}
}
