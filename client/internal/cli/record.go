package cli

import (
	"errors"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client/internal/words"
)

// recordID checks the form of a record's id, so that a typing error is found before an
// access is logged.
func recordID(arg string) (string, error) {
	id := strings.ToLower(arg)
	if _, err := ledger.ParseRecordID(id); err != nil {
		return "", words.WithHint(usagef("%q is not a record id", arg),
			"a record id is %d hexadecimal digits, as seal and search print it", 2*ledger.RecordIDSize)
	}
	return id, nil
}

// purpose checks a purpose of use before an access entry is made with it.
func purpose(code string) (string, error) {
	code = strings.ToUpper(code)
	if _, ok := ledger.Purposes[code]; !ok {
		return "", words.WithHint(usagef("unknown purpose of use %q", code),
			"use a code of HL7 PurposeOfUse, such as TREAT, ETREAT, PATRQT, HPAYMT or HRESCH")
	}
	return code, nil
}

// recordHint is for commands that are given a record's id.
func recordHint(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return words.WithHint(err, "check the record id, which seal and search print; a new record of another hospital may take some seconds to get to yours")
	}
	return err
}
