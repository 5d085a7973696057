package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
	"github.com/chartseal/chartseal/client/trust"
)

func TestCertifyErasure(t *testing.T) {
	c := newConsortium(t)
	sealed := c.seal(t, "a note")
	custodian := c.custodianOf(t)
	if _, err := custodian.CertifyErasure(t.Context(), sealed.ID); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("of a record that is there: %v", err)
	}
	if _, err := custodian.Erase(t.Context(), client.EraseRequest{IDs: []string{sealed.ID}, Reason: "ORDER"}); err != nil {
		t.Fatal(err)
	}
	for _, msp := range []string{"HospitalA", "HospitalB"} {
		keeper := c.world.As(msp, "authority", ledger.RoleAuthority)
		r := ledger.Receipt{Record: sealed.ID, Keeper: msp, Keys: ledger.ReceiptGone, Payloads: ledger.ReceiptUnpinned}
		signature, err := keeper.Signer().Sign(trust.ReceiptStatement("channel", r))
		if err != nil {
			t.Fatal(err)
		}
		if err := trust.Deposit(t.Context(), keeper, trust.NewMemory(), keeper.Signer()); err != nil {
			t.Fatal(err)
		}
		if err := keeper.Confirm(t.Context(), []ledger.NewReceipt{{Record: sealed.ID, Keys: r.Keys, Payloads: r.Payloads, Signature: signature.String()}}); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := custodian.CertifyErasure(t.Context(), sealed.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(certificate.Receipts) != 2 || len(certificate.Missing) != 1 || certificate.Missing[0] != "HospitalC" {
		t.Errorf("%+v", certificate)
	}
	text, err := json.Marshal(certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := make(map[string][]ledger.CertificateID)
	members, err := c.world.As("HospitalA", "custodian", ledger.RoleCustodian).ChannelMSPs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		for _, root := range m.Roots {
			roots[m.ID] = append(roots[m.ID], ledger.IDOfCertificate(root.Raw))
		}
	}
	if _, err := client.CheckErasure(t.Context(), text, roots); err != nil {
		t.Errorf("check: %v", err)
	}
	delete(roots, "HospitalB")
	if _, err := client.CheckErasure(t.Context(), text, roots); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("without a root: %v", err)
	}
	roots["HospitalB"] = roots["HospitalA"]
	if _, err := client.CheckErasure(t.Context(), text, roots); !errors.Is(err, client.ErrTampered) {
		t.Errorf("with another root: %v", err)
	}
	if _, err := client.CheckErasure(t.Context(), []byte("{}"), roots); !errors.Is(err, client.ErrInvalid) {
		t.Errorf("no certificate: %v", err)
	}
}
