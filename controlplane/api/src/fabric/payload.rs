use async_graphql::ID;

use super::{Fabric, Vlan};
use crate::user_error::payload;

payload! { "fabricCreate" => FabricCreatePayload {
        /// The new fabric.
        fabric: Fabric,
    }
    FabricCreateUserError FabricCreateErrorCode {
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
    }
}
payload! { "fabricUpdate" => FabricUpdatePayload {
        /// The fabric as it is now.
        fabric: Fabric,
    }
    FabricUpdateUserError FabricUpdateErrorCode {
        /// There is no such fabric.
        NotFound,
        /// The name cannot be used as it is.
        NameInvalid,
        /// The name is taken.
        NameTaken,
    }
}
payload! { "fabricDelete" => FabricDeletePayload {
        /// The fabric that is gone.
        fabric_id: ID,
    }
    FabricDeleteUserError FabricDeleteErrorCode {
        /// There is no such fabric.
        NotFound,
        /// It is the fabric that is always there.
        FabricIsDefault,
        /// A subnet is on one of its VLANs.
        FabricInUse,
    }
}
payload! { "vlanCreate" => VlanCreatePayload {
        /// The new VLAN.
        vlan: Vlan,
    }
    VlanCreateUserError VlanCreateErrorCode {
        /// There is no such fabric.
        FabricNotFound,
        /// The tag is out of bounds.
        VidInvalid,
        /// The fabric has a VLAN with this tag already.
        VidTaken,
        /// The name cannot be used as it is.
        NameInvalid,
    }
}
payload! { "vlanUpdate" => VlanUpdatePayload {
        /// The VLAN as it is now.
        vlan: Vlan,
    }
    VlanUpdateUserError VlanUpdateErrorCode {
        /// There is no such VLAN.
        NotFound,
        /// The tag is out of bounds.
        VidInvalid,
        /// The fabric has a VLAN with this tag already.
        VidTaken,
        /// The default VLAN is always untagged.
        VlanIsDefault,
        /// The name cannot be used as it is.
        NameInvalid,
    }
}
payload! { "vlanDelete" => VlanDeletePayload {
        /// The VLAN that is gone.
        vlan_id: ID,
    }
    VlanDeleteUserError VlanDeleteErrorCode {
        /// There is no such VLAN.
        NotFound,
        /// It is the VLAN that is always there.
        VlanIsDefault,
        /// A subnet is on it.
        VlanInUse,
    }
}
