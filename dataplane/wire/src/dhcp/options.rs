use super::code;

/// Walks the options of one area. Ends at End, at the area's end, or at an option that claims more
/// bytes than are left: its length cannot be believed, so nothing behind it can be found.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'a> {
    area: &'a [u8],
    at: usize,
}

/// One option as it stands in its area.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) code: u8,
    /// Where its value starts in the area.
    pub(crate) at: usize,
    pub(crate) value: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(crate) fn new(area: &'a [u8]) -> Self {
        Self { area, at: 0 }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let code = *self.area.get(self.at)?;
            match code {
                code::PAD => self.at += 1,
                code::END => return None,
                _ => {
                    let len = usize::from(*self.area.get(self.at + 1)?);
                    let at = self.at + 2;
                    let value = self.area.get(at..at + len)?;
                    self.at = at + len;
                    return Some(Piece { code, at, value });
                }
            }
        }
    }
}
