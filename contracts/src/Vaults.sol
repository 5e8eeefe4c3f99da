// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Assets that belong to many, by shares. A loss that leaves next to nothing ends the generation of those shares.
struct Vault {
    uint128 assets;
    uint64 generation;
    uint192 shares;
}

/// @dev One holder's shares; of an earlier generation they are worth nothing.
struct Holding {
    uint192 shares;
    uint64 generation;
}

/// @title Shares in what can gain and lose
/// @notice A share's worth moves only by gain and loss, never by who comes or goes. All rounding stays in the vault.
library Vaults {
    /// @dev Shares nobody holds: whoever comes first cannot raise the price so far that the next deposit buys nothing.
    uint256 private constant VIRTUAL_SHARES = 1e6;

    /// @dev Below this part of an asset per share, shares count as worthless: else the next deposit would buy so many
    /// that their number has no room.
    uint256 private constant WORTHLESS = 1e15;

    function deposit(Vault storage vault, Holding storage holding, uint128 amount) internal returns (uint256 shares) {
        shares = uint256(amount) * (vault.shares + VIRTUAL_SHARES) / (uint256(vault.assets) + 1);
        uint256 before = sharesOf(vault, holding);
        vault.assets += amount;
        vault.shares += uint192(shares);
        (holding.shares, holding.generation) = (uint192(before + shares), vault.generation);
    }

    /// @dev The caller has checked that the holder has so many.
    function redeem(Vault storage vault, Holding storage holding, uint256 shares) internal returns (uint128 amount) {
        amount = _worth(vault, shares);
        vault.assets -= amount;
        vault.shares -= uint192(shares);
        holding.shares -= uint192(shares);
    }

    function gain(Vault storage vault, uint128 amount) internal {
        vault.assets += amount;
    }

    /// @return taken what there was to take, up to `amount`
    function lose(Vault storage vault, uint128 amount) internal returns (uint128 taken) {
        uint128 assets = vault.assets;
        taken = amount < assets ? amount : assets;
        if (taken == 0) return 0;
        vault.assets = assets - taken;
        if (uint256(assets - taken) * WORTHLESS > vault.shares) return taken;
        vault.shares = 0;
        ++vault.generation;
    }

    function sharesOf(Vault storage vault, Holding storage holding) internal view returns (uint256) {
        return holding.generation == vault.generation ? holding.shares : 0;
    }

    function worthOf(Vault storage vault, Holding storage holding) internal view returns (uint128) {
        return _worth(vault, sharesOf(vault, holding));
    }

    function _worth(Vault storage vault, uint256 shares) private view returns (uint128) {
        return uint128(shares * (uint256(vault.assets) + 1) / (vault.shares + VIRTUAL_SHARES));
    }
}
