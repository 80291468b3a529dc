// SPDX-License-Identifier: GPL-2.0-or-later
// The rules in docs/specs/verify.rst are those of the code.
#include <gtest/gtest.h>

#include <set>

#include "hw/iommu/verify/rules.hpp"
#include "tests/support/rst_table.hpp"

using namespace iommu::verify;

TEST(Verify_Docs, EveryRuleStandsThereAsItIs)
{
    const auto rows = iommu::test::rst_table("specs/verify.rst", "Rules");
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(Rule::Count));
    std::set<std::string> ids;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& rule = text_of(static_cast<Rule>(i));
        ASSERT_EQ(rows[i].size(), 3u);
        EXPECT_EQ(rows[i][0], rule.id);
        EXPECT_EQ(rows[i][1], rule.sentence);
        EXPECT_EQ(rows[i][2], rule.manual);
        ids.insert(rule.id);
    }
    EXPECT_EQ(ids.size(), rows.size());
}
